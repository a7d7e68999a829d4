"""From ``procedure`` to what a control point does."""

from collections.abc import Callable, Mapping

from bletest.profile.mistakes import KEY, Refusal, suggestion
from bletest.profile.model import ProcedureModel, RecordAccessModel, TransferModel
from bletest.profile.procedures import Procedure, Record, RecordAccess, Transfer
from bletest.profile.resolve_names import Names, Target
from bletest.profile.resolve_values import resolve_value, top_fields
from bletest.profile.shape import Shaped
from bletest.profile.tree import Path, node_at


def read_procedure(
    shaped: Shaped,
    names: Names,
    targets: Mapping[str, Target],
    owner: Target,
    model: ProcedureModel | None,
    transfer: Callable[[TransferModel, Path], Transfer | None],
) -> Procedure | None:
    """Return the procedure of ``owner``; None, with the mistake noted, where there is none.

    ``transfer`` reads one that takes an image.
    """
    if model is None:
        return None
    path = (*owner.tree_path, "procedure")
    if model.racp is not None and model.transfer is not None:
        shaped.mistake(path, "a characteristic has one procedure", "remove one of the two")
        return None
    if model.transfer is not None:
        return transfer(model.transfer, (*path, "transfer"))
    if model.racp is None:
        place = node_at(shaped.root, path)
        if not any(holder == id(place) for holder, _ in shaped.cut):
            shaped.mistake(path, "this procedure has no name", "such as racp: {…}")
        return None
    for needed in ("write", "indicate"):
        if needed not in owner.properties and shaped.sound(owner.tree_path, "properties"):
            shaped.mistake(
                (*path, "racp", KEY),
                f"a record access control point has the property {needed}",
                f"add {needed} to `properties`",
            )
    return _record_access(shaped, names, targets, model.racp, (*path, "racp"))


def _record_access(
    shaped: Shaped,
    names: Names,
    targets: Mapping[str, Target],
    model: RecordAccessModel,
    path: Path,
) -> RecordAccess | None:
    via = names.find(model.via, (*path, "via"))
    target = targets.get(via) if via is not None else None
    if target is None:
        return None
    if "notify" not in target.properties and shaped.sound(target.tree_path, "properties"):
        shaped.mistake(
            (*path, "via"), f"`{model.via}` cannot notify", "add notify to its `properties`"
        )
    if model.every <= 0:
        shaped.mistake((*path, "every"), "a period is longer than that", "such as 20ms")
        return None
    inside = (*path, "records")
    template = resolve_value(shaped, target.typing, model.records.template, (*inside, "template"))
    if template is None:
        return None
    field, fields = model.records.number, template.format.fields
    if field not in fields:
        at = (*inside, "number") if shaped.sound(inside, "number") else inside
        shaped.mistake(
            at,
            f"{template.format.name} has no field `{field}` for the sequence number",
            suggestion(field, top_fields(template.format))
            if fields
            else "write the template with the fields of a codec",
        )
        return None
    numbers = range(model.records.first, model.records.first + model.records.count)
    if numbers[-1] > 0xFFFF:
        shaped.mistake((*inside, "count"), "sequence numbers have 16 bits", "take fewer records")
        return None
    try:
        records = tuple(
            Record(number, template.format.encode(template.node, {field: number}))
            for number in numbers
        )
    except Refusal as refusal:
        shaped.mistake((*inside, "template"), refusal.message, refusal.remedy)
        return None
    return RecordAccess(target.path, model.every, records)
