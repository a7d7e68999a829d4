"""Modes: each is read as a profile of its own, made of its keys and those of the device."""

from bletest.profile.mistakes import KEY
from bletest.profile.model import AdvertisingModel, ModeModel, ProfileModel
from bletest.profile.rules import NORMAL
from bletest.profile.shape import Shaped
from bletest.profile.tree import Fields, fields_at

_OF_A_MODE = ("device", "advertising", "services")


def normal_part(shaped: Shaped) -> Shaped:
    """Return the tree without its modes: what stands in them has no meaning outside."""
    if shaped.model is None or not shaped.model.modes:
        return shaped
    return _part(shaped, shaped.model.model_copy(update={"modes": {}}), None)


def mode_part(shaped: Shaped, name: str) -> Shaped:
    """Return the tree and the model of one mode, as if it were a whole profile."""
    model = shaped.model
    assert model is not None  # what has no shape has no modes
    mode = model.modes[name]
    path = ("modes", name)
    if name == NORMAL:
        shaped.mistake(
            (*path, KEY),
            f"`{NORMAL}` is what the device is without a mode",
            "call this one something else",
        )
    if mode.device.address is None and mode.device.gatt is not None:
        # A client knows the device by its address, and its GATT service by its handles.
        shaped.mistake(
            (*path, "device", "gatt", KEY),
            "a device that keeps its address keeps its GATT service",
            "add another `address`, such as +1, or remove `gatt`",
        )
    return _part(shaped, _model_of(model, mode, name), name)


def _model_of(model: ProfileModel, mode: ModeModel, name: str) -> ProfileModel:
    given = mode.device.model_dump(exclude_none=True, exclude={"address", "gatt"})
    if mode.device.gatt is not None:
        given["gatt"] = mode.device.gatt
    if isinstance(mode.device.address, str):
        given["address"] = mode.device.address
    advertising = mode.advertising or AdvertisingModel().model_copy(
        update={"interval": model.advertising.interval}
    )
    return model.model_copy(
        update={
            "name": f"{model.name}/{name}",
            "device": model.device.model_copy(update=given),
            "advertising": advertising,
            "services": mode.services,
            "faults": [],
            "known_issues": [],
            "modes": {},
        }
    )


def _part(shaped: Shaped, model: ProfileModel, mode: str | None) -> Shaped:
    cut = set(shaped.cut)
    original = _tree_of(cut, shaped.original, mode)
    return Shaped(shaped.reader, original, _tree_of(cut, shaped.root, mode), model, cut)


def _tree_of(cut: set[tuple[int, str]], whole: Fields, mode: str | None) -> Fields:
    """Return the nodes of one part at the paths that they have in a profile of its own."""
    root = _copied(cut, whole)
    modes = root.pop("modes", None)
    if mode is None:
        return root
    part = modes.get(mode) if isinstance(modes, Fields) else None
    if not isinstance(part, Fields):
        return root
    for key in _OF_A_MODE:
        here = part.get(key)
        if key == "device" and isinstance(here, Fields) and isinstance(root.get(key), Fields):
            merged = _copied(cut, root[key])
            merged.update(here)
            merged.keys_at.update(here.keys_at)
            root[key] = merged
        elif key in part:
            root[key] = here
            root.keys_at[key] = part.keys_at[key]
        elif key != "device":
            root.pop(key, None)
    return root


def _copied(cut: set[tuple[int, str]], node: Fields) -> Fields:
    copy = fields_at(node.place)
    copy.weight = node.weight
    copy.update(node)
    copy.keys_at = dict(node.keys_at)
    cut |= {(id(copy), key) for holder, key in cut if holder == id(node)}
    return copy
