"""The fixture ladder. Each rung is a place to override; each is explained where users read it.

Everything that needs bumble or bleak is imported inside the fixtures.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from typing import TYPE_CHECKING, Any, cast

import pytest
import pytest_asyncio

from pytest_bletest import faults
from pytest_bletest.collection import model_of_marker
from pytest_bletest.known import FINDINGS
from pytest_bletest.reporting import (
    CAPTURE,
    evidence_folder,
    keep_evidence,
    keeping_output,
    story_of,
)
from pytest_bletest.session import STATE

if TYPE_CHECKING:
    from bletest.apps.program import AppUnderTest
    from bletest.bench.bench import Bench
    from bletest.bench.device import DeviceUnderTest
    from bletest.bench.scanner import Scanner
    from bletest.client.adapter import BumbleAdapter
    from bletest.client.agent import PairingAgent
    from bletest.client.gatt import GattClient
    from bletest.conformance import Case
    from bletest.contracts.database import RemoteDatabase
    from bletest.evidence.transcript import Transcript
    from bletest.faults import FaultPlan
    from bletest.link.virtual import VirtualLink
    from bletest.peripheral.behaviours import Behaviour
    from bletest.peripheral.virtual import VirtualPeripheral
    from bletest.profile.spec import Profile

Connect = Callable[..., Awaitable["GattClient"]]

on_session_loop = pytest_asyncio.fixture(loop_scope="session")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ble_bench(request: pytest.FixtureRequest) -> "AsyncIterator[Bench]":
    """The adapters and devices of this run, as the options say."""
    from bletest.bench.bench import Bench

    worker = getattr(request.config, "workerinput", {}).get("workerid", "")
    async with Bench(request.config.stash[STATE].settings, label=worker) as bench:
        yield bench


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ble_adapter(ble_bench: "Bench") -> "BumbleAdapter":
    """The client's radio, opened."""
    return await ble_bench.adapter()


@on_session_loop
async def ble_link(ble_bench: "Bench") -> "VirtualLink":
    """The virtual air; skips where the adapter is a real radio."""
    if ble_bench.air is None:
        pytest.skip("no virtual air: the adapter is real (--ble-adapter)")
    return ble_bench.air


@pytest.fixture
def ble_profile(request: pytest.FixtureRequest) -> "Profile":
    """The profile of the device under test: ``--ble-profile``, or the marker ``ble_profile``."""
    profile: Profile | None = getattr(request, "param", None)
    if profile is None:
        pytest.skip("no profile: name one with --ble-profile or the marker ble_profile(path)")
    return profile


@pytest.fixture
def ble_case(request: pytest.FixtureRequest, ble_profile: "Profile") -> "Case":
    """One check on one attribute; the marker ``ble_check(code)`` says which check."""
    case: Case | None = getattr(request, "param", None)
    if case is None:
        raise pytest.UsageError(f"{request.node.nodeid}: ble_case needs the marker ble_check(code)")
    return case


@pytest.fixture
def ble_connect_args() -> dict[str, Any]:
    """Arguments for every connection: override it to change ``mtu``, ``timeout`` or ``pair``."""
    return {}


@pytest.fixture
def ble_behaviours() -> "Mapping[str, Behaviour]":
    """What a profile's ``behaviour: vendor.name`` stands for: override it to register Python.

    Each is called with the characteristic, or the device, whenever the emulated device is
    switched on.
    """
    return {}


@on_session_loop
async def ble_transcript(
    request: pytest.FixtureRequest, ble_bench: "Bench"
) -> "AsyncIterator[Transcript]":
    """What this test sends and receives. In use for every test that touches a radio."""
    from bletest.evidence.transcript import Transcript

    state = request.config.stash[STATE]
    _check_requirements(request)
    ceiling = request.node.get_closest_marker("ble_ceiling")
    ble_bench.start_ceiling(**(ceiling.kwargs if ceiling else {}))
    transcript = Transcript()
    folder = evidence_folder(request.node, state.settings)
    with (
        ble_bench.recording(transcript, on_fault=faults.step_for(state.keeper)),
        keeping_output(request.node, ble_bench),
        _link_model(request, ble_bench),
        ble_bench.capturing(folder) as capture,
    ):
        request.node.stash[CAPTURE] = capture
        await ble_bench.begin_test()
        yield transcript
        await ble_bench.end_test()
    keep_evidence(request.node, state.settings, transcript)
    if state.keeper.keeps:
        state.keeper.tell(story_of(request.node))
        state.keeper.attach_transcript(transcript)
        state.keeper.attach_findings(request.node.stash.get(FINDINGS, ()))
    ble_bench.raise_callback_failures()
    if capture is not None:
        capture.check()


@on_session_loop
async def ble_device(
    request: pytest.FixtureRequest,
    ble_bench: "Bench",
    ble_profile: "Profile",
    ble_behaviours: "Mapping[str, Behaviour]",
    ble_transcript: "Transcript",
) -> "AsyncIterator[DeviceUnderTest]":
    """The device under test, emulated or real: ``name``, ``address``, ``reset()``."""
    planned = faults.of_markers(request)
    emulating = ble_bench.device(ble_profile, faults=planned, behaviours=ble_behaviours)
    async with emulating as device:
        faults.prepare(request, device)
        try:
            yield device
        finally:
            faults.note(device, request.config.stash[STATE].faults)


@on_session_loop
async def ble_peripheral(ble_device: "DeviceUnderTest") -> "VirtualPeripheral":
    """The emulated device with its controls; skips where the device is real."""
    if ble_device.peripheral is None:
        pytest.skip("peripheral_control: only an emulated device has it (--ble-device emulated)")
    return ble_device.peripheral


@on_session_loop
async def ble_faults(request: pytest.FixtureRequest, ble_device: "DeviceUnderTest") -> "FaultPlan":
    """What goes wrong with the emulated device: ``ble_faults.add("led: read 2 answers 0x0E")``.

    Each fault has to come to pass before the test is over; skips where the device is real.
    """
    return faults.plan_of(request, ble_device)


@on_session_loop
async def ble_scanner(ble_bench: "Bench", ble_transcript: "Transcript") -> "Scanner":
    """The client's radio as a scanner: ``await ble_scanner.find(name=…, within=…)``."""
    from bletest.bench.scanner import Scanner

    return Scanner(await ble_bench.adapter())


@on_session_loop
async def ble_pairing_agent(ble_bench: "Bench", ble_device: "DeviceUnderTest") -> "PairingAgent":
    """Who answers for the person at the client while it pairs; override it to answer otherwise.

    This one answers right: from the profile's passkey, what the emulated device shows, or what
    the firmware under test writes to its console.
    """
    return ble_bench.pairing_agent(ble_device)


@on_session_loop
async def ble_connect(
    request: pytest.FixtureRequest,
    ble_bench: "Bench",
    ble_device: "DeviceUnderTest",
    ble_transcript: "Transcript",
    ble_connect_args: dict[str, Any],
    ble_pairing_agent: "PairingAgent",
) -> "AsyncIterator[Connect]":
    """A factory of clients connected to the device: ``await ble_connect(pair=True)``."""
    from bletest.evidence.naming import attribute_names
    from bletest.evidence.narration import NarratingClient

    if not ble_device.expectation.advertising.connectable:
        pytest.skip("nobody can connect: the profile says `advertising.connectable: false`")
    keeper = request.config.stash[STATE].keeper

    def name_on(link: str, database: "RemoteDatabase") -> None:
        # After a reboot the same handles may stand for something else.
        ble_transcript.names_on[link] = attribute_names(database, ble_device.expectation)

    async with AsyncExitStack() as stack:

        async def connect(**arguments: Any) -> "GattClient":
            wanted = {"agent": ble_pairing_agent, **ble_connect_args, **arguments}
            client = await ble_bench.connect(ble_device, **wanted)
            stack.push_async_callback(ble_bench.release, client)
            if client.raw is not None:
                name_on(client.raw.link_name, client.database)
            client.on_discovery = name_on
            if keeper.keeps:
                return cast("GattClient", NarratingClient(client, keeper))
            return client

        yield connect


@on_session_loop
async def ble_client(ble_connect: Connect) -> "GattClient":
    """A client connected to the device, its database discovered."""
    return await ble_connect()


@on_session_loop
async def ble_app(
    request: pytest.FixtureRequest, ble_bench: "Bench", ble_device: "DeviceUnderTest"
) -> "AsyncIterator[AppUnderTest]":
    """Programs under test: ``await ble_app.run("python", "app.py")``; plain bleak is ours, too."""
    from bletest.apps.program import AppUnderTest

    folder = evidence_folder(request.node, request.config.stash[STATE].settings)
    app = AppUnderTest(ble_bench, log=folder / "app.log")
    try:
        with app.plain_bleak():
            yield app
    finally:
        await app.close()


def _link_model(request: pytest.FixtureRequest, bench: "Bench") -> AbstractContextManager[None]:
    """Return what puts this test's link model in force: the marker's, or that of ``--ble-link``."""
    marker = request.node.get_closest_marker("ble_link")
    if marker is not None:
        if bench.air is None:
            pytest.skip("no virtual air: the adapter is real (--ble-adapter)")
        return bench.link_model(model_of_marker(marker))
    if bench.air is None:
        return nullcontext()
    return bench.link_model(bench.settings.link.model)


def _check_requirements(request: pytest.FixtureRequest) -> None:
    """Skip (or fail, with ``--ble-strict``) for what adapter, device or permission lack."""
    from bletest.contracts.capabilities import Capability
    from bletest.contracts.effects import SideEffect

    settings = request.config.stash[STATE].settings
    case = _case_of(request)
    needed: dict[Capability, None] = {}
    for mark in request.node.iter_markers("ble_requires"):
        needed.update(dict.fromkeys(Capability(name) for name in mark.args))
    effects = [SideEffect(mark.args[0]) for mark in request.node.iter_markers("ble_side_effect")]
    if case is not None:
        needed.update(dict.fromkeys(sorted(case.needs)))
        effects.append(case.side_effect)
    for capability in needed:
        if capability not in settings.capabilities:
            reason = f"{capability}: provided by {capability.provided_by}"
            pytest.fail(reason, pytrace=False) if settings.strict else pytest.skip(reason)
    for effect in effects:
        if not settings.allows(effect):
            pytest.skip(f"side effect: {effect}; allow it with --ble-allow {effect}")


def _case_of(request: pytest.FixtureRequest) -> "Case | None":
    if "ble_case" not in request.fixturenames:
        return None
    if request.node.get_closest_marker("ble_check") is None or not hasattr(
        request.node, "callspec"
    ):
        return None
    return request.node.callspec.params.get("ble_case")  # type: ignore[no-any-return]
