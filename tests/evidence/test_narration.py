import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)

import pytest

from bletest.contracts.advertisements import Advertisement
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Attempts, CharacteristicName, DescriptorName, Reading
from bletest.contracts.database import RemoteCharacteristic, RemoteDatabase
from bletest.contracts.findings import Finding
from bletest.contracts.outcomes import Outcome
from bletest.contracts.windows import LinkTiming
from bletest.errors import AttributeRefused, SubscriptionEnded
from bletest.evidence.keeper import Keeper, Step, Story
from bletest.evidence.narration import NarratingClient, PlainClient, call, octets
from bletest.evidence.transcript import Transcript
from bletest.uuids import Uuid

LOCATION = "heart_rate/body_sensor_location"


class Notebook:
    """A keeper that writes steps down, indented by depth, with how they ended."""

    keeps = True

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0

    @contextmanager
    def _step(self, title: str) -> Iterator[Step]:
        at = len(self.lines)
        self.lines.append("  " * self._depth + title)
        self._depth += 1

        class Line:
            def says(line, outcome: str) -> None:  # noqa: N805
                self.lines[at] += f" → {outcome}"

        try:
            yield Line()
        except Exception as error:
            self.lines[at] += f" ✗ {type(error).__name__}"
            raise
        finally:
            self._depth -= 1

    def step(self, title: str) -> AbstractContextManager[Step]:
        return self._step(title)

    def tell(self, story: Story) -> None: ...
    def attach_transcript(self, transcript: Transcript) -> None: ...
    def attach_findings(self, findings: Sequence[Finding]) -> None: ...
    def attach_text(self, name: str, text: str) -> None: ...
    def describe_session(
        self, *, name: str, environment: Mapping[str, object], variables: Mapping[str, str]
    ) -> None: ...


class Readings:
    """A subscription that has two readings and then no link."""

    def __init__(self) -> None:
        self._left = [Reading(b"\x00\x48", 0.0), Reading(b"\x00\x49", 1.0)]
        self.received: tuple[Reading, ...] = tuple(self._left)

    async def next(self, *, within: float) -> Reading:
        if not self._left:
            raise SubscriptionEnded("gone")
        return self._left.pop(0)

    async def take(self, count: int, *, within: float) -> list[Reading]:
        return [await self.next(within=within) for _ in range(count)]


class Device:
    """A client of a device with one value that can be read, and nothing that can be written."""

    capabilities = frozenset({Capability.RAW_ATT})
    database = RemoteDatabase()
    advertisement: Advertisement | None = None
    mtu = 247
    timing = LinkTiming()
    is_connected = True
    is_encrypted: bool | None = False
    firmware = "1.2"

    @property
    def attempt(self) -> Attempts:
        return self._Attempts()

    def now(self) -> float:
        return 7.0

    async def read(self, characteristic: CharacteristicName) -> Reading:
        return Reading(b"\x01", 0.0)

    async def write(
        self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
    ) -> None:
        raise AttributeRefused(code=3, operation="write", attribute="x", meaning="0x03")

    async def read_descriptor(self, descriptor: DescriptorName) -> Reading:
        return Reading(b"\x04\x00", 0.0)

    async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> None: ...

    @asynccontextmanager
    async def _subscribe(self) -> AsyncIterator[Readings]:
        yield Readings()

    def subscribe(
        self, characteristic: CharacteristicName
    ) -> AbstractAsyncContextManager[Readings]:
        return self._subscribe()

    async def exchange(self, pdu: bytes, *, within: float = 30.0) -> bytes | None:
        return bytes.fromhex("010a000001") if pdu[0] == 0x0A else None

    async def unasked(self, *, within: float) -> list[Reading]:
        readings = [Reading(bytes((number,)), 0.0, LOCATION) for number in range(4)]
        return readings if within > 1 else []

    async def pair(self, *, authenticated: bool = True) -> None: ...
    async def unpair(self) -> None: ...
    async def reconnect(self) -> None: ...

    class _Attempts:
        async def read(self, characteristic: CharacteristicName) -> Outcome:
            return Outcome("read", call(characteristic), value=b"\x01")

        async def write(
            self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
        ) -> Outcome:
            return Outcome("write", call(characteristic), code=0x03)

        async def read_descriptor(self, descriptor: DescriptorName) -> Outcome:
            return Outcome("read", call(descriptor), symptom="no_answer")

        async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> Outcome:
            return Outcome("write", call(descriptor), value=b"")

        async def subscribe(self, characteristic: CharacteristicName) -> Outcome:
            return Outcome("subscribe", call(characteristic), value=b"")

        async def unsubscribe(self, characteristic: CharacteristicName) -> Outcome:
            return Outcome("unsubscribe", call(characteristic), value=b"")

        async def pair(self) -> Outcome:
            return Outcome("pair", "device", symptom="not_paired")


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def client(notebook: Notebook) -> NarratingClient:
    keeper: Keeper = notebook
    device: PlainClient = Device()
    return NarratingClient(device, keeper)


def test_what_a_test_does_reads_like_the_test(client: NarratingClient, notebook: Notebook) -> None:
    async def use() -> None:
        assert (await client.read(LOCATION)).raw == b"\x01"
        async with client.subscribe(Uuid(0x2A37)) as notifications:
            assert len(await notifications.take(1, within=13)) == 1
            assert (await notifications.next(within=0.5)).raw == b"\x00\x49"
            assert len(notifications.received) == 2
        assert await client.exchange(bytes.fromhex("0a0000")) == bytes.fromhex("010a000001")
        assert await client.exchange(b"\x52") is None
        assert len(await client.unasked(within=2)) == 4
        assert await client.unasked(within=0.5) == []
        assert (await client.read_descriptor("a/b/format")).raw == b"\x04\x00"
        await client.write_descriptor("a/b/label", b"hi")
        await client.pair()
        await client.reconnect()
        await client.unpair()

    asyncio.run(use())
    assert notebook.lines == [
        "read heart_rate/body_sensor_location → 1 octet 01",
        "subscribed to heart_rate_measurement",
        "  take 1 notification within 13 s → 00 48",
        "  wait for a notification within 0.5 s → 2 octets 00 49",
        "send the ATT PDU 0a 00 00 → 01 0a 00 00 01",
        "send the ATT PDU 52 → silence",
        "wait 2 s for what nobody subscribed to"
        " → 00, 01, 02, … from heart_rate/body_sensor_location",
        "wait 0.5 s for what nobody subscribed to → nothing",
        "read descriptor a/b/format → 2 octets 04 00",
        "write 2 octets 68 69 to descriptor a/b/label",
        "pair",
        "disconnect and connect again",
        "forget the keys of the device",
    ]


def test_what_goes_wrong_passes_through_and_marks_its_step(
    client: NarratingClient, notebook: Notebook
) -> None:
    async def use() -> None:
        with pytest.raises(AttributeRefused):
            await client.write(LOCATION, b"\x02\x03", response=False)
        async with client.subscribe(LOCATION) as notifications:
            await notifications.take(3, within=1)

    with pytest.raises(SubscriptionEnded):
        asyncio.run(use())
    assert notebook.lines == [
        f"write 2 octets 02 03 to {LOCATION} without response ✗ AttributeRefused",
        f"subscribed to {LOCATION} ✗ SubscriptionEnded",
        "  take 3 notifications within 1 s ✗ SubscriptionEnded",
    ]


def test_attempts_say_their_outcome(client: NarratingClient, notebook: Notebook) -> None:
    async def use() -> list[Outcome]:
        attempt = client.attempt
        return [
            await attempt.read(LOCATION),
            await attempt.write(0x12, b"\x02"),
            await attempt.read_descriptor("a/b/c"),
            await attempt.write_descriptor(0x13, b"\x01\x00"),
            await attempt.subscribe("x"),
            await attempt.unsubscribe("x"),
            await attempt.pair(),
        ]

    outcomes = asyncio.run(use())
    assert [outcome.succeeded for outcome in outcomes] == [True, False, False, *[True] * 3, False]
    assert notebook.lines == [
        f"try to read {LOCATION} → 1 octet 01",
        "try to write 1 octet 02 to handle 0x0012"
        " → 0x03 WRITE_NOT_PERMITTED (the value cannot be written)",
        "try to read descriptor a/b/c → no answer",
        "try to write 2 octets 01 00 to descriptor handle 0x0013 → accepted",
        "try to subscribe to x → accepted",
        "try to unsubscribe from x → accepted",
        "try to pair → not paired",
    ]


def test_facts_are_those_of_the_client_behind(client: NarratingClient) -> None:
    behind = client.wrapped
    assert client.database is behind.database
    assert client.capabilities == behind.capabilities
    assert client.mtu == 247
    assert client.timing == behind.timing
    assert client.now() == 7.0
    assert client.is_connected
    assert client.is_encrypted is False
    assert client.advertisement is None
    assert client.firmware == "1.2"


def test_an_attribute_has_a_name_however_it_is_given() -> None:
    found = RemoteCharacteristic(Uuid(0x2A38), 1, 2, frozenset())
    names = [call(name) for name in (LOCATION, 0x12, Uuid(0x2A38), found)]
    assert names == [LOCATION, "handle 0x0012", "body_sensor_location", "body_sensor_location"]


def test_long_values_are_cut_in_titles() -> None:
    assert octets(bytes(20)) == f"20 octets {'00 ' * 16}…"
    assert octets(b"") == "0 octets"
