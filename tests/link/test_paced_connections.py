"""Connections on a link model, as two bare hosts see them: parameters, updates, ends, silence."""

import asyncio
from itertools import pairwise

import pytest
from bumble import hci

from bletest.link.clock import run
from bletest.link.controller import VirtualController
from bletest.link.model import make_model
from bletest.link.virtual import VirtualLink
from tests.link.support import BareHost, advertise, create_connection, now
from tests.link.test_connections import P, completes, random_address, received, send_frame

CONNECTED = 0.2
"""Seconds that :func:`connect` lets pass."""


class Clocked(BareHost):
    """A bare host that also notes when each packet came."""

    def __init__(self, controller: VirtualController) -> None:
        self.times: list[float] = []
        super().__init__(controller)

    def on_packet(self, packet: bytes) -> None:
        self.times.append(now())
        super().on_packet(packet)

    def when(self, kind: type[hci.HCI_Packet]) -> list[float]:
        return [
            time
            for time, event in zip(self.times, self.events, strict=True)
            if isinstance(event, kind)
        ]


async def connect(
    seed: int = 0, *, parameters: dict[str, int] | None = None, **model: object
) -> tuple[VirtualLink, Clocked, Clocked]:
    link = VirtualLink(seed=seed)
    link.radio.use(make_model(**model))
    central = Clocked(link.new_controller("central", "02:00:00:00:00:0C"))
    peripheral = Clocked(link.new_controller("peripheral", "02:00:00:00:00:0D"))
    await advertise(peripheral, P)
    await random_address(central)
    await central.send(create_connection(hci.Address(P), **parameters or {}))
    await asyncio.sleep(CONNECTED)
    return link, central, peripheral


def ends(host: Clocked) -> list[tuple[int, float]]:
    found = host.of(hci.HCI_Disconnection_Complete_Event)
    times = host.when(hci.HCI_Disconnection_Complete_Event)
    return [(event.reason, time) for event, time in zip(found, times, strict=True)]  # type: ignore[attr-defined]


def update(interval: int, latency: int, timeout: int) -> hci.HCI_LE_Connection_Update_Command:
    return hci.HCI_LE_Connection_Update_Command(
        connection_handle=1,
        connection_interval_min=interval,
        connection_interval_max=interval,
        max_latency=latency,
        supervision_timeout=timeout,
        min_ce_length=0,
        max_ce_length=0,
    )


def test_both_sides_are_told_the_parameters_of_the_model():
    async def main():
        _, central, peripheral = await connect(interval="50ms", latency=2, supervision_timeout="4s")
        return [
            (event.connection_interval, event.peripheral_latency, event.supervision_timeout)
            for host in (central, peripheral)
            for event in completes(host)
        ]

    assert run(main()) == [(40, 2, 400)] * 2


def test_data_arrives_at_anchor_points():
    async def main():
        _, central, peripheral = await connect(interval="100ms")
        for _ in range(5):
            send_frame(central, b"")
            await asyncio.sleep(0.3)
        moments = peripheral.when(hci.HCI_AclDataPacket)
        return [later - first for first, later in pairwise(moments)]

    gaps = run(main())
    assert gaps == pytest.approx([0.3] * 4)


@pytest.mark.parametrize("length", [0, 1, 27, 28, 247, 512, 1500])
@pytest.mark.parametrize("model", [{}, {"data_length": 27}, {"loss": 0.3, "seed": 4}])
def test_frames_of_any_length_arrive_whole_and_in_order(length, model):
    async def main():
        _, central, peripheral = await connect(supervision_timeout="10s", **model)
        for number in range(3):
            send_frame(central, bytes([number]) * length)
            send_frame(peripheral, bytes([number + 3]) * length)
        await asyncio.sleep(10)
        return [[frame[4:] for frame in received(host)] for host in (peripheral, central)]

    down, up = run(main())
    assert down == [bytes([number]) * length for number in range(3)]
    assert up == [bytes([number + 3]) * length for number in range(3)]


def test_an_update_takes_effect_at_its_instant_and_both_are_told_then():
    async def main():
        _, central, peripheral = await connect(interval="50ms")
        start = now()
        await central.send(update(160, 1, 500))
        await asyncio.sleep(2)
        for _ in range(3):
            send_frame(peripheral, b"")
            await asyncio.sleep(0.5)
        told = [
            (
                event.status,
                event.connection_interval,
                event.peripheral_latency,
                event.supervision_timeout,
            )
            for host in (central, peripheral)
            for event in host.of(hci.HCI_LE_Connection_Update_Complete_Event)
        ]
        when = [
            host.when(hci.HCI_LE_Connection_Update_Complete_Event) for host in (central, peripheral)
        ]
        moments = central.when(hci.HCI_AclDataPacket)
        return told, when, start, [b - a for a, b in pairwise(moments)]

    told, (first, second), start, gaps = run(main())
    assert told == [(0, 160, 1, 500)] * 2
    assert first == second
    # Sent in the next event, six events before the instant.
    assert 6 * 0.05 < first[0] - start <= 7 * 0.05
    for gap in gaps:
        assert gap / 0.2 == pytest.approx(round(gap / 0.2))


def test_disconnecting_takes_until_the_peer_has_acknowledged():
    async def main():
        _, central, peripheral = await connect(interval="400ms", supervision_timeout="4s")
        await central.send(hci.HCI_Disconnect_Command(connection_handle=1, reason=0x13))
        await asyncio.sleep(1)
        return ends(central), ends(peripheral)

    ((ours, ended),), ((theirs, heard),) = run(main())
    assert (ours, theirs) == (0x16, 0x13)
    assert ended - heard == pytest.approx(150e-6 + 80e-6)  # T_IFS and the empty answer


def test_out_of_range_both_sides_time_out_from_the_last_packet_they_heard():
    async def main():
        link, central, peripheral = await connect(
            interval="100ms", latency=4, supervision_timeout="3s"
        )
        await asyncio.sleep(5)
        gone = now()
        link.take_out_of_range(peripheral.controller)
        await asyncio.sleep(10)
        return gone, ends(central), ends(peripheral)

    gone, ((ours, first),), ((theirs, second),) = run(main())
    assert ours == theirs == 0x08
    # The peripheral attends each fifth event: the last packet came at most 0.5 s before.
    assert gone + 2.5 <= first <= gone + 3
    assert first == pytest.approx(second, abs=0.001)


@pytest.mark.parametrize("model", [None, {"interval": "30ms"}, {"loss": 0.1}])
def test_who_comes_back_in_time_has_lost_nothing(model):
    async def main():
        link, central, peripheral = await connect(
            parameters={"timeout": 300}, **model or {"base": "instant"}
        )
        link.take_out_of_range(peripheral.controller)
        send_frame(central, b"there")
        send_frame(peripheral, b"and back")
        await asyncio.sleep(1)
        before = received(peripheral), received(central)
        link.bring_back_in_range(peripheral.controller)
        await asyncio.sleep(30)
        after = [frame[4:] for frame in received(peripheral) + received(central)]
        return before, after, [ends(host) for host in (central, peripheral)]

    before, after, ended = run(main())
    assert before == ([], [])
    assert after == [b"there", b"and back"]
    assert ended == [[], []]


@pytest.mark.parametrize("model", ["instant", "ideal"])
def test_a_disconnection_out_of_range_ends_with_the_supervision_timeout(model):
    async def main():
        link, central, peripheral = await connect(base=model)
        link.take_out_of_range(central.controller)
        start = now()
        await central.send(hci.HCI_Disconnect_Command(connection_handle=1, reason=0x13))
        await asyncio.sleep(5)
        return start, ends(central), ends(peripheral)

    start, ((ours, ended),), ((theirs, _),) = run(main())
    assert (ours, theirs) == (0x16, 0x08)
    assert 0.65 < ended - start < 0.7201


def test_a_peer_that_vanishes_is_noticed_after_the_supervision_timeout():
    async def main():
        link, central, peripheral = await connect(interval="30ms")
        await asyncio.sleep(60)
        gone = now()
        link.remove_controller(peripheral.controller)
        await asyncio.sleep(5)
        return gone, ends(central)

    gone, ((reason, ended),) = run(main())
    assert reason == 0x08
    assert 0.6899 < ended - gone < 0.7201


def test_a_link_that_loses_everything_is_never_established():
    """The request arrives or not; the packets after it never do (Vol 6, Part B, 4.5.2)."""

    async def main():
        link, central, peripheral = await connect(base="instant", parameters={"interval": 80})
        await central.send(hci.HCI_Disconnect_Command(connection_handle=1, reason=0x13))
        await asyncio.sleep(1)
        link.radio.use(make_model(loss=0.999, seed=1, supervision_timeout="10s"))
        await advertise(peripheral, P, interval=0.02)
        await central.send(create_connection(hci.Address(P), interval=80))
        await asyncio.sleep(600)
        return central.when(hci.HCI_LE_Connection_Complete_Event)[1:], ends(central)[1:]

    (up,), ((reason, ended),) = run(main())
    assert reason == 0x3E
    assert ended - up == pytest.approx(6 * 0.1)


def test_a_connection_that_hears_nothing_for_its_timeout_by_mere_loss_ends_on_both_sides():
    async def main():
        _, central, peripheral = await connect(loss=0.5, supervision_timeout="200ms", seed=0)
        await asyncio.sleep(600)
        return ends(central), ends(peripheral)

    ((ours, first),), ((theirs, second),) = run(main())
    assert ours == theirs == 0x08
    assert abs(first - second) < 0.2


def test_data_length_is_agreed_by_both_and_holds():
    async def main():
        _, central, peripheral = await connect(data_length=27)
        peripheral.controller.suggested_max_tx_octets = 100
        peripheral.controller.suggested_max_tx_time = 2120
        await central.send(
            hci.HCI_LE_Set_Data_Length_Command(connection_handle=1, tx_octets=200, tx_time=2120)
        )
        await asyncio.sleep(1)
        send_frame(central, b"")  # one packet of four octets, 112 µs
        await asyncio.sleep(1)
        send_frame(central, bytes(396))  # two packets of 200 octets, 1680 µs each
        await asyncio.sleep(1)
        told = [
            [
                (e.max_tx_octets, e.max_rx_octets)
                for e in host.of(hci.HCI_LE_Data_Length_Change_Event)
            ]
            for host in (central, peripheral)
        ]
        short, long = peripheral.when(hci.HCI_AclDataPacket)[:2]
        return told, long - short + 112e-6

    told, took = run(main())
    assert told == [[(200, 100)], [(100, 200)]]
    # Two full packets, and the empty answer to the first between them.
    assert took % 0.03 == pytest.approx(2 * 1680e-6 + 2 * 150e-6 + 80e-6)


@pytest.mark.parametrize("base", ["instant", "ideal"])
@pytest.mark.parametrize("who", [0, 1])
def test_a_phy_is_agreed_by_both_whoever_asks(base, who):
    async def main():
        _, *hosts = await connect(base=base)
        await hosts[who].send(
            hci.HCI_LE_Set_PHY_Command(
                connection_handle=1, all_phys=0, tx_phys=0b010, rx_phys=0b001, phy_options=0
            )
        )
        await asyncio.sleep(1)
        read = [
            (await host.send(hci.HCI_LE_Read_PHY_Command(connection_handle=1))).return_parameters
            for host in hosts
        ]
        return [
            [(e.status, e.tx_phy, e.rx_phy) for e in host.of(hci.HCI_LE_PHY_Update_Complete_Event)]
            for host in hosts
        ], [(one.tx_phy, one.rx_phy) for one in read]

    told, read = run(main())
    asker, other = told[who], told[1 - who]
    assert asker == [(0, 2, 1)]
    assert other == [(0, 1, 2)]
    assert read[who] == (2, 1)
    assert read[1 - who] == (1, 2)


def test_a_host_that_asks_for_the_phy_it_has_is_told_so():
    async def main():
        _, central, peripheral = await connect()
        await central.send(
            hci.HCI_LE_Set_PHY_Command(
                connection_handle=1, all_phys=0, tx_phys=1, rx_phys=1, phy_options=0
            )
        )
        await asyncio.sleep(1)
        return [len(h.of(hci.HCI_LE_PHY_Update_Complete_Event)) for h in (central, peripheral)]

    assert run(main()) == [1, 0]


def test_the_hosts_of_a_model_on_another_phy_are_told():
    async def main():
        _, *hosts = await connect(phy="coded", data_length=50)
        return [
            (
                [(e.tx_phy, e.rx_phy) for e in host.of(hci.HCI_LE_PHY_Update_Complete_Event)],
                [
                    (e.max_tx_octets, e.max_tx_time)
                    for e in host.of(hci.HCI_LE_Data_Length_Change_Event)
                ],
            )
            for host in hosts
        ]

    assert run(main()) == [([(3, 3)], [(50, 720 + 54 * 64)])] * 2


def test_an_unknown_handle_is_refused_by_the_commands_of_length_and_phy():
    async def main():
        _, central, _ = await connect()
        statuses = []
        for command in (
            hci.HCI_LE_Set_Data_Length_Command(connection_handle=9, tx_octets=27, tx_time=328),
            hci.HCI_LE_Read_PHY_Command(connection_handle=9),
        ):
            statuses.append((await central.send(command)).return_parameters.status)
        phy = hci.HCI_LE_Set_PHY_Command(
            connection_handle=9, all_phys=3, tx_phys=0, rx_phys=0, phy_options=0
        )
        statuses.append((await central.send(phy)).status)
        return statuses

    assert run(main()) == [0x02] * 3


def test_a_host_gets_no_buffer_back_while_too_much_waits():
    async def main():
        _, central, _ = await connect(interval="1s", supervision_timeout="10s")
        for _ in range(300):
            send_frame(central, b"x")
        await asyncio.sleep(0.001)
        completed = central.of(hci.HCI_Number_Of_Completed_Packets_Event)
        early = len(completed)
        await asyncio.sleep(5)
        return early, len(central.of(hci.HCI_Number_Of_Completed_Packets_Event))

    assert run(main()) == (255, 300)


def test_the_drift_of_the_centrals_clock_stretches_or_shrinks_its_intervals():
    async def main(seed, drift):
        _, central, peripheral = await connect(seed=seed, interval="1s", drift=drift)
        send_frame(central, b"")
        await asyncio.sleep(100)
        send_frame(central, b"")
        await asyncio.sleep(10)
        first, last = peripheral.when(hci.HCI_AclDataPacket)
        return (last - first) / round(last - first) - 1

    assert run(main(1, 0)) == pytest.approx(0, abs=1e-9)
    errors = [run(main(seed, 500)) for seed in range(4)]
    assert all(1e-6 < abs(error) <= 500e-6 for error in errors)
    assert len(set(errors)) == 4
    assert run(main(2, 500)) == errors[2]
