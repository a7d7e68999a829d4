"""Reads a file or a text into a profile, or into a list of everything that is wrong with it."""

import stat
from pathlib import Path
from typing import NoReturn

from bletest.errors import ProfileError
from bletest.profile.locating import shipped_profiles
from bletest.profile.mistakes import Mistake, did_you_mean
from bletest.profile.resolve import resolve
from bletest.profile.shape import hold_against_model
from bletest.profile.spec import Profile
from bletest.profile.tree import MAXIMUM_OCTETS, Fields, Reader

_KIB = 1024


def load_path(path: Path) -> Profile:
    """Read the profile at ``path``: see :func:`bletest.profile.load`."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if path.is_dir() else "no ordinary file"
            _refuse(path, f"this is {what}", "a profile is one YAML file")
        if status.st_size > MAXIMUM_OCTETS:
            _refuse_size(str(path), status.st_size)
        data = path.read_bytes()
    except FileNotFoundError:
        _refuse(path, "there is no such file", _similar(path))
    except (OSError, ValueError) as error:  # ValueError: a path with a zero octet
        reason = getattr(error, "strerror", None) or error
        _refuse(path, f"this cannot be read: {reason}", "check the path and its permissions")
    return _load(_decoded(str(path), data), str(path), path)


def load_text(text: str, name: str) -> Profile:
    """Read a profile from ``text``: see :func:`bletest.profile.loads`."""
    return _load(text, name, None)


def _load(text: str, name: str, source: Path | None) -> Profile:
    if len(text) > MAXIMUM_OCTETS:
        _refuse_size(name, len(text))
    reader = Reader(name, text.removeprefix("\ufeff"))
    root = reader.read()
    profile = None
    if isinstance(root, Fields):
        profile = resolve(hold_against_model(reader, root), source)
    elif root is not None:
        reader.mistake(root.place, "a profile is a mapping", "begin with `bletest: 1`")
    elif not reader.mistakes:
        reader.mistake((1, 1), "there is nothing in this profile", "begin with `bletest: 1`")
    if reader.mistakes or profile is None:
        mistakes = list(dict.fromkeys(reader.mistakes))
        mistakes.sort(key=lambda one: (one.line, one.column))
        raise ProfileError(mistakes)
    return profile


def _decoded(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        whole = data.split(b"\n")[line - 1].decode("utf-8", "replace")
        source = "".join(sign if sign.isprintable() else "�" for sign in whole)
        remedy = "save the file as UTF-8"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            remedy = "this looks like UTF-16: save the file as UTF-8"
        message = f"this is not UTF-8: octet 0x{data[error.start]:02X}"
        raise ProfileError([Mistake(name, line, column, source, message, remedy)]) from None


def _refuse_size(name: str, octets: int) -> NoReturn:
    message = f"this has {octets // _KIB} KiB, a profile has at most {MAXIMUM_OCTETS // _KIB}"
    raise ProfileError([Mistake(name, 0, 0, "", message, "is it a profile at all?")])


def _refuse(path: Path, message: str, remedy: str) -> NoReturn:
    raise ProfileError([Mistake(str(path), 0, 0, "", message, remedy)])


def _similar(path: Path) -> str:
    beside = []
    if path.parent.is_dir():
        beside = [one.name for one in path.parent.iterdir() if one.suffix in (".yaml", ".yml")]
    if close := did_you_mean(path.name, sorted(beside)):
        return close
    known = shipped_profiles()
    if path.name in known:
        return f"the shipped profile of that name is {known[path.name]}"
    return did_you_mean(path.stem, known) or f"shipped profiles: {', '.join(known)}"
