"""From ``procedure: {transfer: …}`` to a firmware-update target."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath

from bletest.profile.expectation import ServiceExpectation
from bletest.profile.mistakes import KEY, Refusal
from bletest.profile.model import EffectsModel, ImageModel, TransferModel
from bletest.profile.procedures import Transfer, expectation_of
from bletest.profile.recordings import read_octets
from bletest.profile.resolve_names import Naming, Target
from bletest.profile.rules import Effects, Function
from bletest.profile.shape import Shaped
from bletest.profile.spec import ServiceSpec
from bletest.profile.tree import Path

EffectsReader = Callable[[EffectsModel, Path], Effects]
LONGEST_INIT = 512
"""Octets that an init packet can have."""

_CONTENT = b"bletest"  # what images that only have a size are made from


def read_transfer(
    shaped: Shaped,
    naming: Naming,
    owner: Target,
    model: TransferModel,
    path: Path,
    *,
    folder: FilePath | None,
    effects: EffectsReader,
) -> Transfer | None:
    """Return the procedure; None, with the mistake noted, where there is none."""
    if "write_without_response" not in owner.properties:
        if shaped.sound(owner.tree_path, "properties"):
            shaped.mistake(
                (*path, KEY),
                "data is written without response, and this characteristic does not take that",
                "add write_without_response to `properties`",
            )
        return None
    control = naming.characteristics.find(model.control, (*path, "control"))
    target = naming.targets.get(control) if control is not None else None
    image = _octets(shaped, model.image, (*path, "image"), folder)
    init = None
    if model.init is not None:
        init = _octets(shaped, model.init, (*path, "init"), folder)
        if init is not None and len(init) > LONGEST_INIT:
            shaped.mistake(
                (*path, "init"), f"an init packet has {LONGEST_INIT} octets at most", "shorten it"
            )
    then = Effects() if model.then is None else effects(model.then, (*path, "then"))
    if then.error is not None:
        shaped.mistake(
            (*path, "then", "error", KEY), "nothing is refused any more then", "remove `error`"
        )
    if target is None or image is None:
        return None
    _check_control(shaped, target, model.control, (*path, "control"))
    return Transfer(
        control=target.path,
        data=owner.path,
        object_size=model.object,
        receipt_every=model.receipt_every,
        crc=Function(model.crc),
        image=image,
        init=init,
        takes=model.takes,
        then=then,
    )


def _check_control(shaped: Shaped, target: Target, name: str, path: Path) -> None:
    if not shaped.sound(target.tree_path, "properties"):
        return
    if "write" not in target.properties:
        shaped.mistake(path, f"`{name}` cannot be written", "add write to its properties")
    if not target.properties & {"notify", "indicate"}:
        shaped.mistake(
            path,
            f"`{name}` can neither notify nor indicate",
            "add notify to its `properties`",
        )


def transfers_by_control(shaped: Shaped, services: list[ServiceSpec]) -> dict[str, Transfer]:
    """Return the transfers by the paths of their control points; what cannot be is noted."""
    specs = {one.path: one for service in services for one in service.characteristics}
    found: dict[str, Transfer] = {}
    for number, service in enumerate(services):
        for index, one in enumerate(service.characteristics):
            transfer = one.procedure
            if not isinstance(transfer, Transfer):
                continue
            path: Path = ("services", number, "characteristics", index, "procedure", "transfer")
            control = specs[transfer.control]
            if control.procedure is not None or transfer.control in found:
                shaped.mistake(
                    (*path, "control"),
                    "the control point of a transfer has no other procedure, and takes no data",
                    "give it one of its own",
                )
            if any(rule.match is None for rule in control.rules):
                shaped.mistake(
                    (*path, "control"),
                    "a rule there takes everything, what is meant for the transfer too",
                    "remove it: what no rule matches is for the transfer",
                )
            found[transfer.control] = transfer
    return found


def serving(services: list[ServiceSpec], transfers: Mapping[str, Transfer]) -> list[ServiceSpec]:
    """Return the services with the procedures of control points, which stand at the data."""
    if not transfers:
        return services
    return [
        replace(
            service,
            characteristics=tuple(
                replace(one, procedure=transfers.get(one.path, one.procedure))
                for one in service.characteristics
            ),
        )
        for service in services
    ]


def expecting(
    services: list[ServiceExpectation], transfers: Mapping[str, Transfer]
) -> list[ServiceExpectation]:
    """Return the same of what is expected."""
    if not transfers:
        return services
    expected = {path: expectation_of(one) for path, one in transfers.items()}
    return [
        replace(
            service,
            characteristics=tuple(
                replace(one, procedure=expected.get(one.path, one.procedure))
                for one in service.characteristics
            ),
        )
        for service in services
    ]


def _octets(shaped: Shaped, model: ImageModel, path: Path, folder: FilePath | None) -> bytes | None:
    given = {"size": model.size, "hex": model.hex, "file": model.file}
    keys = [key for key, value in given.items() if value is not None]
    if len(keys) != 1:
        if keys or all(shaped.sound(path, key) for key in given):
            shaped.mistake(
                path,
                "an image has one content" if keys else "this image has no content",
                "keep one of these keys" if keys else "add size: …, hex: … or file: …",
            )
        return None
    if model.size is not None:
        return hashlib.shake_128(_CONTENT).digest(model.size)
    if model.hex is not None:
        return model.hex
    try:
        return read_octets(folder, str(model.file))
    except Refusal as refusal:
        shaped.refuse((*path, "file"), refusal)
        return None
