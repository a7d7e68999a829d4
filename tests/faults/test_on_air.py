"""Each kind of fault on the virtual air, as a client meets it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from bletest import profile
from bletest.bench.bench import Bench
from bletest.bench.device import DeviceUnderTest
from bletest.bench.link_options import LinkOptions
from bletest.bench.settings import Settings
from bletest.client.gatt import GattClient
from bletest.contracts.events import AttPdu, FaultFired, LinkEvent
from bletest.errors import (
    AdapterLost,
    AttributeRefused,
    BletestError,
    ConnectionFailed,
    LinkLost,
    NoAnswer,
    ProtocolViolation,
    TooFewNotifications,
    UsageMistake,
)
from bletest.evidence.transcript import Transcript
from bletest.faults import FaultPlan
from bletest.link import clock
from bletest.link.data_path import DataPath
from bletest.peripheral.virtual import VirtualPeripheral

SENSOR = """
bletest: 1
name: sensor
device: {name: Sensor, mtu: 100}
advertising: {interval: 100ms}
security: {pairing: true, bonding: true}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: level, properties: [read, write, write_without_response],
         value: {hex: 01 02 03}, length: {min: 1, max: 200}}
      - {uuid: 0xFF02, id: beat, properties: [notify], value: {hex: 07}, notify: 1s}
      - {uuid: 0xFF03, id: alarm, properties: [indicate], value: {hex: 08}, notify: 1s}
      - {uuid: 0xFF04, id: secret, properties: [read], read: encrypted, value: {hex: 09}}
"""


@dataclass
class Stage:
    """A client on a device with a plan."""

    bench: Bench
    device: DeviceUnderTest
    transcript: Transcript

    @property
    def peripheral(self) -> VirtualPeripheral:
        assert self.device.peripheral is not None
        return self.device.peripheral

    @property
    def plan(self) -> FaultPlan:
        return self.peripheral.faults

    @property
    def fired(self) -> list[str]:
        return [one.fault for one in self.transcript.events if isinstance(one, FaultFired)]

    async def connect(self, *, pair: bool = False) -> GattClient:
        return await self.bench.connect(self.device, pair=pair)

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()


def play(act: Callable[[Stage], Awaitable[None]], *faults: str, text: str = SENSOR) -> Transcript:
    """Run ``act`` on both data paths; every fault must have fired by its end."""

    async def main(path: DataPath) -> Transcript:
        transcript = Transcript()
        settings = Settings(seed=1, link=LinkOptions(path=path))
        async with Bench(settings) as bench:
            with bench.recording(transcript):
                async with bench.device(profile.loads(text), faults=faults) as device:
                    stage = Stage(bench, device, transcript)
                    await act(stage)
                    stage.plan.check_leftovers()
                    assert stage.fired
        return transcript

    short, hci = (clock.run(main(path)) for path in DataPath)
    # What happens at one moment has no order that both would have to keep.
    assert sorted(short.text().splitlines()) == sorted(hci.text().splitlines())
    return short


def test_the_second_read_is_answered_with_the_error() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        assert (await client.read("level")).raw == b"\x01\x02\x03"
        with pytest.raises(AttributeRefused) as caught:
            await client.read("level")
        assert caught.value.code == 0x0E
        assert (await client.read("level")).raw == b"\x01\x02\x03"
        assert stage.fired == ["level: read 2 answers 0x0E"]

    play(act, "level: read 2 answers 0x0E")


def test_a_write_that_is_answered_with_an_error_is_not_stored() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises(AttributeRefused):
            await client.write("level", b"\x05")
        assert (await client.read("level")).raw == b"\x01\x02\x03"

    play(act, "level: write answers 0x11")


def test_a_write_whose_response_is_dropped_is_stored_and_ends_the_bearer() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises(NoAnswer):
            await client.write("level", b"\x05")
        assert stage.peripheral["level"].value() == b"\x05"

    play(act, "level: write dropped")


def test_a_command_that_is_dropped_is_not_stored() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        await client.write("level", b"\x05", response=False)
        await client.write("level", b"\x06", response=False)
        await asyncio.sleep(1)
        assert stage.peripheral["level"].value() == b"\x06"
        assert (await client.read("level")).raw == b"\x06"

    play(act, "level: command 1 dropped")


def test_a_response_29_s_late_is_in_time() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        start = stage.now()
        assert (await client.read("level")).raw == b"\x01\x02\x03"
        assert 29 <= stage.now() - start < 29.1

    play(act, "level: read delayed by 29s")


def test_a_response_31_s_late_is_none() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises(NoAnswer):
            await client.read("level")
        await asyncio.sleep(2)

    play(act, "level: read delayed by 31s")


def test_a_late_response_is_not_sent_to_the_next_client_on_the_same_handle() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        late = asyncio.ensure_future(client.read("level"))
        await asyncio.sleep(0.1)
        await client.disconnect()
        with pytest.raises(LinkLost):
            await late
        again = await stage.connect()
        await asyncio.sleep(10)
        assert (await again.read("level")).raw == b"\x01\x02\x03"
        late_ones = [one for one in stage.transcript.events if isinstance(one, AttPdu)]
        assert sum(one.pdu == b"\x0b\x01\x02\x03" for one in late_ones) == 1

    play(act, "level: read delayed by 5s")


@pytest.mark.parametrize("fault", ["read opcode 0x13", "read truncated to 0", "read opcode 0x0D"])
def test_a_response_that_cannot_be_is_not_taken_for_one(fault: str) -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises((NoAnswer, ProtocolViolation)):
            await client.read("level")

    play(act, f"level: {fault}")


def test_truncated_and_corrupted_values_arrive_as_such() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        assert (await client.read("level")).raw == b"\x01\x02"
        assert (await client.read("level")).raw == b"\xfe\xfd\xfc"

    play(act, "level: read 1 truncated", "level: read 2 corrupted")


def test_a_duplicated_response_answers_once_and_shows_in_the_transcript() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        await client.read("level")
        await asyncio.sleep(0.1)
        unexpected = [one for one in stage.transcript.events if isinstance(one, LinkEvent)]
        assert any(one.what == "unexpected_pdu" for one in unexpected)

    play(act, "level: read duplicated")


def test_notifications_are_dropped_duplicated_and_delayed() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        start = stage.now()
        async with client.subscribe("beat") as beats:
            readings = await beats.take(4, within=10)
        seconds = [round(one.time - start, 2) for one in readings]
        assert seconds == [2.0, 2.0, 3.5, 4.0]

    faults = ("1 dropped", "2 duplicated", "3 delayed by 500ms")
    play(act, *(f"beat: notification {fault}" for fault in faults))


def test_the_link_ends_after_the_third_notification() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises((LinkLost, TooFewNotifications)) as caught:
            async with client.subscribe("beat") as beats:
                await beats.take(4, within=10)
        assert len(beats.received) == 3
        assert isinstance(caught.value, LinkLost)
        assert caught.value.reason == 0x15

    play(act, "beat: notification 3 disconnects with 0x15")


def test_a_request_that_ends_the_link_gets_no_answer() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises(LinkLost) as caught:
            await client.write("level", b"\x09")
        assert caught.value.reason == 0x13
        assert stage.peripheral["level"].value() == b"\x01\x02\x03"

    play(act, "level: write disconnects")


def test_without_its_confirmation_no_second_indication_comes() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        async with client.subscribe("alarm") as alarms:
            await asyncio.sleep(20)
            assert len(alarms.received) == 1

    play(act, "alarm: confirmation dropped")


def test_a_late_confirmation_holds_up_the_next_indication() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        start = stage.now()
        async with client.subscribe("alarm") as alarms:
            first, second = await alarms.take(2, within=10)
            await asyncio.sleep(0.1)  # those that waited come too
        assert round(first.time - start, 2) == 1.0
        assert round(second.time - start, 2) == 5.5

    play(act, "alarm: confirmation 1 delayed by 4500ms")


def test_the_connection_that_is_refused_is_tried_again() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        assert client.is_connected
        tries = [one for one in stage.transcript.events if isinstance(one, LinkEvent)]
        assert "0x3E" in next(one.detail for one in tries if one.what == "connection_try_failed")

    play(act, "connection 1 refused with 0x3E")


def test_a_device_that_refuses_every_connection_cannot_be_reached() -> None:
    async def act(stage: Stage) -> None:
        with pytest.raises(ConnectionFailed, match="after 3 tries"):
            await stage.connect()

    play(act, "every connection is refused")


def test_advertising_stops_for_five_seconds() -> None:
    async def act(stage: Stage) -> None:
        await asyncio.sleep(3.1)
        assert stage.peripheral.station is not None
        assert not stage.peripheral.station.device.is_advertising
        start = stage.now()
        await stage.bench.find(stage.device, within=30)
        assert 4.8 < stage.now() - start < 5.2

    play(act, "at 3s pauses advertising for 5s")


def test_advertising_begins_late() -> None:
    async def act(stage: Stage) -> None:
        start = stage.now()
        await stage.bench.find(stage.device, within=30)
        assert 4.8 < stage.now() - start < 5.2

    play(act, "advertising 1 pauses for 5s")


def test_a_bond_that_is_lost_is_of_no_use_any_more() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect(pair=True)
        assert (await client.read("secret")).raw == b"\x09"
        await client.disconnect()
        await asyncio.sleep(1)
        again = await stage.connect()
        with pytest.raises(BletestError):
            await again.pair()

    play(act, "disconnection 1 forgets the bond")


def test_an_mtu_of_22_is_found_out() -> None:
    async def act(stage: Stage) -> None:
        with pytest.raises(ProtocolViolation, match="Server Rx MTU of 22, below 23"):
            await stage.connect()

    play(act, "mtu answers 22")


def test_the_adapter_dies_in_the_middle_of_a_read_and_the_next_client_has_a_new_one() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises(AdapterLost):
            await client.read("level")
        assert not client.is_connected
        again = await stage.connect()
        assert (await again.read("level")).raw == b"\x01\x02\x03"

    play(act, "level: read kills the adapter")


def test_the_device_notices_by_its_supervision_timeout_that_the_adapter_died() -> None:
    async def act(stage: Stage) -> None:
        await stage.connect()
        await stage.peripheral.wait_disconnected(within=60)

    play(act, "at 5s kills the adapter")


def test_at_a_moment_every_client_is_disconnected() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        await asyncio.sleep(5)
        assert not client.is_connected

    play(act, "at 5s disconnects with 0x14")


def test_faults_may_be_planned_while_a_client_is_connected() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        await client.read("level")
        stage.plan.add("level: read 1 answers 0x0E")
        with pytest.raises(AttributeRefused):
            await client.read("level")
        stage.plan.add(at="1s", disconnects=0x13)
        await asyncio.sleep(2)
        assert not client.is_connected

    play(act)


def test_a_reset_neither_ends_the_plan_nor_repeats_it() -> None:
    async def act(stage: Stage) -> None:
        await stage.device.reset()
        await asyncio.sleep(4)
        client = await stage.connect()
        with pytest.raises(AttributeRefused):
            await client.read("level")
        await stage.device.reset()
        again = await stage.connect()
        await asyncio.sleep(4)
        assert (await again.read("level")).raw == b"\x01\x02\x03"
        assert again.is_connected
        assert stage.fired == ["at 3s pauses advertising 1s", "level: read 1 answers 0x0E"]

    play(act, "at 3s pauses advertising for 1s", "level: read answers 0x0E")


def test_faults_of_the_profile_are_the_devices_own() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises(AttributeRefused):
            await client.read("level")

    play(act, text=SENSOR + "faults:\n  - level: read 1 answers 0x0E\n")


def test_a_fault_that_names_no_attribute_of_the_device_is_refused_before_it_starts() -> None:
    async def main() -> None:
        async with Bench(Settings(seed=1)) as bench:
            with pytest.raises(UsageMistake, match='did you mean "level"'):
                async with bench.device(profile.loads(SENSOR), faults=["levle: read 1 dropped"]):
                    pass

    clock.run(main())


def test_a_fault_has_a_line_of_its_own_in_both_forms_of_the_transcript() -> None:
    async def act(stage: Stage) -> None:
        client = await stage.connect()
        with pytest.raises(AttributeRefused):
            await client.read("level")

    transcript = play(act, "level: read answers 0x0E")
    text = transcript.text().splitlines()
    line = next(number for number, one in enumerate(text) if " !  " in one)
    assert text[line].endswith("!  fault of sensor: level: read 1 answers 0x0E")
    assert "Read Request" in text[line - 1]
    assert "Error Response" in text[line + 1]
    assert (
        '"kind": "fault", "device": "sensor", "fault": "level: read 1 answers 0x0E", "count": 1}'
        in transcript.json_lines()
    )


def test_without_a_plan_nothing_stands_between_device_and_clients() -> None:
    async def main() -> None:
        async with (
            Bench(Settings(seed=1)) as bench,
            bench.device(profile.loads(SENSOR)) as device,
        ):
            assert device.peripheral is not None
            client = await bench.connect(device)
            (link,) = device.peripheral.links
            assert link.send is link.transmit
            station = device.peripheral.station
            assert station is not None
            assert station.host.on_att_server_pdu == device.peripheral.receive
            device.peripheral.faults.add("read 5 dropped")
            assert link.send is not link.transmit
            await bench.release(client)

    clock.run(main())
