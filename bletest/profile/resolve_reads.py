"""From ``on_read`` to what reads are answered with."""

from pathlib import Path as FilePath

from bletest.profile.mistakes import KEY
from bletest.profile.model import CharacteristicModel
from bletest.profile.resolve_attributes import Common
from bletest.profile.resolve_names import Target
from bletest.profile.resolve_sources import SourceReader, check_source
from bletest.profile.shape import Shaped
from bletest.profile.sources import ReadSource


def read_answers(
    shaped: Shaped,
    model: CharacteristicModel,
    target: Target,
    common: Common,
    readable: bool,
    folder: FilePath | None,
) -> ReadSource | None:
    """Return what reads are answered with; None, with mistakes noted, for the stored value."""
    if model.on_read is None:
        return None
    path = (*target.tree_path, "on_read")
    if not readable:
        if shaped.sound(target.tree_path, "properties"):
            shaped.mistake(
                (*path, KEY),
                "`on_read` needs a characteristic that can be read",
                "add read to `properties`",
            )
        return None
    if "writes" in model.on_read.counts and "reads" not in model.on_read.counts:
        shaped.mistake(
            (*path, "counts"), "reads count always, writes beside them", "write [reads, writes]"
        )
    if model.value is not None and common.value is None:
        return None  # the value's own mistake
    reader = SourceReader(shaped, target.typing, common.value, folder, path, model.uuid)
    source = reader.read(model.on_read.values, None)
    if source is None:
        return None
    check_source(shaped, common.expectation, source, path)
    return ReadSource(source, model.on_read.after, "writes" in model.on_read.counts)
