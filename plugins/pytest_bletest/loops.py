"""Which loop an async fixture runs on: the bench's, wherever its test does."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio

from pytest_bletest.collection import uses_radio

# Where pytest_asyncio.fixture() leaves a mark on the function it decorates. There is no public
# way to read it, or to take it back.
_SCOPE = "_loop_scope"
_MARK = "_force_asyncio_fixture"


@contextmanager
def shared_loop(fixturedef: "pytest.FixtureDef[Any]", request: Any) -> Iterator[None]:
    """Put an async fixture on the bench's loop while it is set up for a test that uses a radio.

    So a user's fixture and the test share one loop, as they would without us. A fixture that
    outlives the test keeps the loop it has, unless it needs the radio itself. Raises
    pytest.UsageError for one that does and asks for another loop.
    """
    function = inspect.unwrap(fixturedef.func)
    function = getattr(function, "__func__", function)
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    if not is_async or not uses_radio(request._pyfuncitem):
        yield
        return
    needs_radio = fixturedef.argname.startswith("ble_") or any(
        name.startswith("ble_") for name in _closure(fixturedef, request)
    )
    asked = getattr(function, _SCOPE, None)
    if needs_radio and asked not in (None, "session"):
        raise pytest.UsageError(
            f"the fixture {fixturedef.argname} asks for a loop of scope {asked!r}, and BLE "
            'fixtures live on the loop of the session: leave loop_scope away, or write "session"'
        )
    if asked is not None or not (needs_radio or fixturedef.scope == "function"):
        yield
        return
    before = {name: function.__dict__.get(name) for name in (_SCOPE, _MARK)}
    pytest_asyncio.fixture(function, loop_scope="session")
    try:
        yield
    finally:
        function.__dict__.update(before)


def _closure(fixturedef: "pytest.FixtureDef[Any]", request: Any) -> set[str]:
    """Return the names of all fixtures that one asks for, directly or not."""
    manager, found, todo = request._fixturemanager, set[str](), list(fixturedef.argnames)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            definitions = manager.getfixturedefs(name, request._pyfuncitem) or ()
            todo += [argument for one in definitions[-1:] for argument in one.argnames]
    return found
