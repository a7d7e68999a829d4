"""The pytest face of bletest: options, fixtures, markers, collection and reporting.

Loaded in every pytest run of an environment that has bletest, so importing it must cost next to
nothing: bumble, bleak, pydantic and bluetooth-sig are imported by the fixtures that need them.
"""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_bletest import collection, faults, known, loops, reporting
from pytest_bletest.fixtures import (
    ble_adapter,
    ble_app,
    ble_behaviours,
    ble_bench,
    ble_case,
    ble_client,
    ble_connect,
    ble_connect_args,
    ble_device,
    ble_faults,
    ble_link,
    ble_pairing_agent,
    ble_peripheral,
    ble_profile,
    ble_scanner,
    ble_transcript,
)
from pytest_bletest.options import Values, add_options
from pytest_bletest.session import STATE, State

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = [
    "ble_adapter",
    "ble_app",
    "ble_behaviours",
    "ble_bench",
    "ble_case",
    "ble_client",
    "ble_connect",
    "ble_connect_args",
    "ble_device",
    "ble_faults",
    "ble_link",
    "ble_pairing_agent",
    "ble_peripheral",
    "ble_profile",
    "ble_scanner",
    "ble_transcript",
]

MARKERS = (
    "ble_profile(path): the profile of this test, instead of --ble-profile",
    "ble_requires(*capabilities): what adapter and device must be able to do, else a skip",
    "ble_side_effect(kind): what the test does to the world: stores, actuates, resets, …",
    'ble_fault("led: read 2 answers 0x0E"): what goes wrong with the emulated device; repeatable',
    "ble_link(model, **keys): the link model of this test: 'noisy', interval='30ms', loss=0.1, …",
    "ble_ceiling(virtual=14400, real=60): seconds of virtual and real time the test may use",
    "ble_check(code): run one check of bletest.conformance for each attribute it applies to",
    "ble_not_applicable: set by bletest on a check that has nothing to judge in a profile",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; whatever is wrong with them ends the run here, with exit code 4."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    state = State(config, Values(config))
    config.stash[STATE] = state
    state.load()
    config.pluginmanager.register(reporting.Reporter(config), "bletest-reporter")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed to a worker of pytest-xdist, so that all workers share it."""
    state = node.config.stash[STATE]
    if state.used:
        node.workerinput["ble_seed"] = state.settings.seed


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> None:
    """Put coroutine tests that use a radio on the session's loop, with no marker of their own."""
    collection.prepare(collector, name, obj)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> "Generator[None, object, object]":
    """Skip a test that finds out, while it runs, that adapter or device lack a capability.

    One that passed fails after all if a fault it had planned never came to pass; one whose
    findings are all known to the profile fails as expected.
    """
    try:
        result = yield
        faults.check(pyfuncitem)
        known.passed(pyfuncitem)
        return result
    except AssertionError as error:
        known.failed(pyfuncitem, error)
        raise
    except Exception as error:
        reporting.skip_for_want_of_capability(pyfuncitem.config, error)
        raise


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: "pytest.FixtureDef[Any]", request: pytest.FixtureRequest
) -> "Generator[None, object, object]":
    """Let the async fixtures of a test that uses a radio share its loop."""
    with loops.shared_loop(fixturedef, request):
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its profiles, and each check its attributes."""
    collection.parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Report misuse of fixtures, and take out the checks that do not apply."""
    collection.settle(config, items)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> "Mapping[str, Any] | None":
    """Run tests that use a radio on the bench's loop: virtual time unless something is real."""
    if not collection.uses_radio(item):
        return None
    return {"ble": config.stash[STATE].loop_factory}


@pytest.hookimpl(specname="pytest_asyncio_loop_factories", trylast=True, optionalhook=True)
def pytest_asyncio_loop_factories_of_others(
    config: pytest.Config, item: pytest.Item
) -> "Mapping[str, Any]":
    """Leave every other test the loop it had."""
    import asyncio

    return {"default": asyncio.new_event_loop}
