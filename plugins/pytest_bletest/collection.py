"""Collection: which tests use a radio, on which loop, with which profiles and checks."""

import inspect
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pytest

from pytest_bletest import faults
from pytest_bletest.session import STATE

if TYPE_CHECKING:
    from bletest.link.model import LinkModel
    from bletest.profile.spec import Profile

ASYNC_FIXTURES = frozenset(
    {
        "ble_bench",
        "ble_adapter",
        "ble_link",
        "ble_device",
        "ble_faults",
        "ble_peripheral",
        "ble_scanner",
        "ble_client",
        "ble_connect",
        "ble_pairing_agent",
    }
)
"""Fixtures whose value lives on the loop: only a coroutine can use it."""

EVIDENCE = "ble_transcript"
_MISTAKES: pytest.StashKey[list[str]] = pytest.StashKey()
_NOT_APPLICABLE = "ble_not_applicable"


def prepare(collector: Any, name: str, obj: object) -> None:
    """Mark a coroutine test that asks for a BLE fixture, before pytest-asyncio looks at it."""
    if not collector.istestfunction(obj, name):
        return
    test = inspect.unwrap(obj) if callable(obj) else obj
    inner = getattr(getattr(obj, "hypothesis", None), "inner_test", test)
    wanted = _ble_fixtures(collector, obj)
    if not wanted:
        return
    if not inspect.iscoroutinefunction(inner):
        misused = sorted(wanted & ASYNC_FIXTURES)
        if misused:
            _mistake(
                collector,
                f"{collector.nodeid}::{name} is no coroutine, but asks for {misused[0]}: "
                f"write `async def {name}(…)`",
            )
        return
    marks = list(getattr(obj, "pytestmark", ()))
    for mark in marks:
        scope = mark.kwargs.get("loop_scope", "session")
        if mark.name == "asyncio" and scope != "session":
            _mistake(
                collector,
                f"{collector.nodeid}::{name} asks for a loop of scope {scope!r}, and BLE fixtures "
                "live on the loop of the session: leave the marker away, or write "
                '`@pytest.mark.asyncio(loop_scope="session")`',
            )
    if not any(mark.name == "asyncio" for mark in marks):
        pytest.mark.asyncio(loop_scope="session")(obj)
    pytest.mark.usefixtures(EVIDENCE)(obj)


def _ble_fixtures(collector: Any, obj: object) -> set[str]:
    """Return the BLE fixtures in a test's closure."""
    manager = collector.session._fixturemanager
    owner = collector.obj if inspect.isclass(getattr(collector, "obj", None)) else None
    closure = manager.getfixtureinfo(node=collector, func=obj, cls=owner).names_closure
    return {name for name in closure if name.startswith("ble_")}


def _mistake(collector: Any, text: str) -> None:
    collector.config.stash.setdefault(_MISTAKES, []).append(text)


def uses_radio(item: pytest.Item) -> bool:
    """Whether a test stands on the bench's loop."""
    return any(name.startswith("ble_") for name in getattr(item, "fixturenames", ()))


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give a test one instance a profile, and a check one instance an attribute."""
    if "ble_profile" not in metafunc.fixturenames:
        return
    profiles = _profiles(metafunc)
    if not profiles:
        return  # the fixture skips, and names the option
    several = len(profiles) > 1
    check = metafunc.definition.get_closest_marker("ble_check")
    if check is None:
        ids = [one.name if several else pytest.HIDDEN_PARAM for one in profiles]
        metafunc.parametrize("ble_profile", profiles, ids=ids, indirect=True)
        return
    metafunc.parametrize(
        ("ble_profile", "ble_case"),
        _cases(profiles, _code(metafunc, check), several=several),
        indirect=True,
    )


def _profiles(metafunc: pytest.Metafunc) -> "list[Profile]":
    state = metafunc.config.stash[STATE]
    marker = metafunc.definition.get_closest_marker("ble_profile")
    if marker is None:
        return state.profiles
    if not marker.args:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: the marker needs a path, ble_profile(path)"
        )
    return [state.profile_of_marker(str(name)) for name in marker.args]


def _code(metafunc: pytest.Metafunc, marker: pytest.Mark) -> str:
    if len(marker.args) == 1 and isinstance(marker.args[0], str):
        return marker.args[0]
    raise pytest.UsageError(
        f"{metafunc.definition.nodeid}: the marker takes the code of one check, ble_check(code)"
    )


def _cases(profiles: "list[Profile]", code: str, *, several: bool) -> list[Any]:
    """Return a pytest.param for each attribute of each profile the check applies to."""
    from bletest import conformance
    from bletest.errors import UsageMistake

    params = []
    for profile in profiles:
        try:
            cases = conformance.cases(profile.expectation, code)
        except UsageMistake as mistake:
            raise pytest.UsageError(str(mistake)) from None
        front = f"{profile.name}-" if several else ""
        params += [pytest.param(profile, case, id=front + case.id) for case in cases]
        if not cases:
            mark = getattr(pytest.mark, _NOT_APPLICABLE)
            params.append(pytest.param(profile, None, id=f"{front}-", marks=mark))
    return params


def settle(config: pytest.Config, items: list[pytest.Item]) -> None:
    """End the run on misuse; take out the instances of checks that do not apply."""
    mistakes = [
        *config.stash.get(_MISTAKES, []),
        *_wrong_markers(items),
        *faults.wrong_markers(items),
    ]
    if mistakes:
        raise pytest.UsageError("\n".join(mistakes))
    kept = [item for item in items if item.get_closest_marker(_NOT_APPLICABLE) is None]
    if len(kept) < len(items):
        left_out = [item for item in items if item.get_closest_marker(_NOT_APPLICABLE)]
        config.stash[STATE].not_applicable += len(left_out)
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def model_of_marker(marker: pytest.Mark) -> "LinkModel | None":
    """Return what ``ble_link("noisy", loss="20%")`` says; raise UsageMistake."""
    from bletest.errors import UsageMistake
    from bletest.link.model import make_model

    if len(marker.args) > 1:
        raise UsageMistake(
            f"ble_link{marker.args} names several models",
            remedy='write ble_link("noisy"), ble_link(interval="30ms"), or both in one',
        )
    return make_model(*map(str, marker.args), where="ble_link", **marker.kwargs)


def _wrong_markers(items: list[pytest.Item]) -> dict[str, None]:
    """Return what is wrong with the arguments of markers, each once."""
    from bletest.contracts.capabilities import Capability
    from bletest.contracts.effects import SideEffect
    from bletest.errors import UsageMistake

    wrong: dict[str, None] = {}
    for item in items:
        for name, kind in (("ble_requires", Capability), ("ble_side_effect", SideEffect)):
            known = [str(one) for one in kind]
            for mark in item.iter_markers(name):
                for word in mark.args:
                    if word not in known:
                        place = item.nodeid.partition("[")[0]
                        close = get_close_matches(str(word), known, n=1)
                        hint = f"did you mean {close[0]!r}?" if close else f"known: {known}"
                        wrong[f"{place}: {name}({word!r}) is unknown; {hint}"] = None
        for mark in item.iter_markers("ble_link"):
            try:
                model_of_marker(mark)
            except UsageMistake as mistake:
                wrong[f"{item.nodeid.partition('[')[0]}: {mistake}"] = None
    return wrong
