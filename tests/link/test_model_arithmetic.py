"""Link models against arithmetic: throughput and latency, from the specification's timing.

Every expectation is worked out here, from air times in microseconds (Vol 6, Part B, 2.1, 2.2 and
4.5), without the code of the model. Bounds are 2 %.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bletest.client.gatt import GattClient
from bletest.contracts.events import AttPdu, Direction
from bletest.link.model import make_model
from tests.client.support import Bench, in_virtual_time, loop_time, open_bench

GAP = 150  # T_IFS


def on_air(phy: str, payload: int) -> float:
    """Return the microseconds of a packet: preamble, access address, header, payload, CRC."""
    if phy == "1M":
        return 8 * (1 + 4 + 2 + payload + 3)
    if phy == "2M":
        return 4 * (2 + 4 + 2 + payload + 3)
    s = {"coded": 8, "coded_s2": 2}[phy]
    return 80 + 256 + 16 + 24 + s * (8 * (2 + payload + 3) + 3)


def fragments(frame: int, data_length: int) -> list[int]:
    whole, rest = divmod(frame, data_length)
    return [data_length] * whole + ([rest] if rest else [])


def frames_a_second(phy: str, interval_ms: float, frame: int, data_length: int) -> float:
    """Return how many L2CAP frames of ``frame`` octets one direction carries, without loss.

    In each interval as many exchanges of a full and an empty packet fit as end T_IFS before
    the next anchor point; a frame may begin in one event and end in the next.
    """
    room = interval_ms * 1000 - GAP
    packets = fragments(frame, data_length)
    exchanges = [on_air(phy, octets) + GAP + on_air(phy, 0) + GAP for octets in packets]
    # Walk one long cycle of events, exchange by exchange.
    done, position, events = 0, 0, 2000
    for _ in range(events):
        at = 0.0
        while at + exchanges[position] - GAP <= room:
            at += exchanges[position]
            position += 1
            if position == len(exchanges):
                position, done = 0, done + 1
    return done / (events * interval_ms / 1000)


def successes_an_event(loss: float, most: int) -> float:
    """Return how many exchanges succeed before the first that fails, ``most`` at most."""
    both_arrive = (1 - loss) ** 2
    return sum(both_arrive**number for number in range(1, most + 1))


@asynccontextmanager
async def connected(
    mtu: int = 247, seed: int = 1, **model: object
) -> AsyncIterator[tuple[Bench, GattClient]]:
    async with open_bench(mtu=mtu, device_mtu=mtu) as bench:
        bench.air.radio.use(make_model(seed=seed, **model))
        async with bench.client() as client:
            yield bench, client


def arrivals(bench: Bench, opcode: int) -> list[float]:
    return [
        event.time
        for event in bench.events
        if isinstance(event, AttPdu)
        and event.direction is Direction.RECEIVED
        and event.pdu[0] == opcode
    ]


def rate(moments: list[float], interval: float) -> float:
    """Return how many came a second, over whole connection intervals.

    The first interval and the last are left out: they need not be full.
    """
    begin = moments[0] + interval
    whole = int((moments[-1] - begin) / interval) - 1
    end = begin + whole * interval
    return sum(begin < moment <= end for moment in moments) / (end - begin)


THROUGHPUT = [
    # phy, interval in ms, data length, ATT_MTU, octets of the value
    ("1M", 30, 251, 247, 244),
    ("1M", 30, 27, 247, 244),
    ("1M", 7.5, 251, 247, 244),
    ("1M", 15, 251, 23, 20),
    ("1M", 15, 27, 23, 20),
    ("1M", 50, 100, 185, 182),
    ("2M", 15, 251, 247, 244),
    ("2M", 100, 251, 517, 512),
    ("coded", 100, 251, 247, 244),
    ("coded_s2", 50, 251, 247, 100),
]


@pytest.mark.parametrize(("phy", "interval", "data_length", "mtu", "value"), THROUGHPUT)
@in_virtual_time
async def test_notifications_a_second(phy, interval, data_length, mtu, value):
    expected = frames_a_second(phy, interval, 4 + 3 + value, data_length)
    model = {"phy": phy, "interval": interval / 1000, "data_length": data_length}
    async with connected(mtu, **model) as (bench, client):
        async with client.subscribe("0x2A37"):
            # Enough to fill sixty intervals.
            for _ in range(round(60 * expected * interval / 1000)):
                bench.device.notify(0x2A37, bytes(value))
            await asyncio.sleep(60 * interval / 1000 * 1.2 + 1)
        measured = rate(arrivals(bench, 0x1B), interval / 1000)
    assert measured == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("phy", "interval", "data_length", "mtu", "value"), THROUGHPUT)
@in_virtual_time
async def test_write_commands_a_second(phy, interval, data_length, mtu, value):
    expected = frames_a_second(phy, interval, 4 + 3 + value, data_length)
    model = {"phy": phy, "interval": interval / 1000, "data_length": data_length}
    moments: list[float] = []
    async with connected(mtu, **model) as (bench, client):
        bench.device.on_request = lambda pdu: moments.append(loop_time())
        for _ in range(round(60 * expected * interval / 1000)):
            await client.write("0xFF02", bytes(value), response=False)
        await asyncio.sleep(60 * interval / 1000 * 1.2 + 1)
    measured = rate(moments, interval / 1000)
    assert measured == pytest.approx(expected, rel=0.02)


# So many events that the standard deviation of the mean is well under 1 %.
@pytest.mark.parametrize(("loss", "events"), [(0.05, 4000), (0.2, 12_000), (0.4, 20_000)])
@pytest.mark.parametrize("way", ["up", "down"])
@in_virtual_time
async def test_loss_costs_the_rest_of_its_connection_event(way, loss, events):
    """Each event ends with its first lost packet, so losses of both ways count alike."""
    interval, value = 0.0075, 240
    exchange = on_air("1M", 4 + 3 + value) + GAP + on_air("1M", 0) + GAP
    most = int(interval * 1e6 // exchange)
    expected = successes_an_event(loss, most) / interval
    moments: list[float] = []
    async with connected(interval=interval, loss=loss, supervision_timeout="4s") as (bench, client):
        bench.device.on_request = lambda pdu: moments.append(loop_time())
        count = round(events * expected * interval)
        if way == "down":
            for _ in range(count):
                await client.write("0xFF02", bytes(value), response=False)
            await asyncio.sleep(10)
        else:
            async with client.subscribe("0x2A37"):
                for _ in range(count):
                    bench.device.notify(0x2A37, bytes(value))
                await asyncio.sleep(events * interval * 1.2)
            moments = arrivals(bench, 0x1B)
    assert len(moments) >= count
    assert rate(moments, interval) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("interval", [7.5, 30, 500])
@pytest.mark.parametrize("latency", [0, 4])
@in_virtual_time
async def test_reads_one_after_another_take_two_intervals_each(interval, latency):
    """The request goes in one event, its response in the next; then both sides are awake."""
    async with connected(interval=interval / 1000, latency=latency) as (_, client):
        await client.read("0x2A38")
        start = loop_time()
        for _ in range(20):
            await client.read("0x2A38")
        assert (loop_time() - start) / 20 == pytest.approx(2 * interval / 1000, rel=0.02)


@pytest.mark.parametrize("latency", [0, 1, 4, 30])
@in_virtual_time
async def test_a_read_after_a_pause_waits_until_the_peripheral_listens(latency):
    """It attends the event after its response, to hear that it arrived, then each latency + 1."""
    interval = 0.03
    answer_at = (on_air("1M", 0) + GAP + on_air("1M", 4 + 2)) * 1e-6
    expected, measured = [], []
    async with connected(interval=interval, latency=latency) as (_, client):
        reading = await client.read("0x2A38")
        for number in range(60):
            anchor = reading.time - answer_at  # of the event with the last response
            await asyncio.sleep(1 + number * 0.0618)
            start = loop_time()
            attended, stride = anchor + interval, (1 + latency) * interval
            while attended <= start:
                attended += stride
            reading = await client.read("0x2A38")
            measured.append(reading.time - start)
            expected.append(attended + interval + answer_at - start)
    assert measured == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("loss", [0.05, 0.2, 0.35])
@in_virtual_time
async def test_what_loss_adds_to_a_read(loss):
    """Worked out as a Markov chain over connection events.

    The request arrives in the first event whose first packet does. Then the response comes in
    the first event in which both packets arrive, unless the empty answer to the request was
    lost: that has to be sent again before the response, in the same event if all goes well.
    """
    interval, count = 0.03, 4000
    arrives, both = 1 - loss, (1 - loss) ** 2
    request = 1 / arrives
    clean = 1 / both
    after_lost_answer = (2 - both) / both
    expected = interval * (request + arrives * clean + loss * after_lost_answer)
    async with connected(interval=interval, loss=loss, supervision_timeout="4s") as (_, client):
        await client.read("0x2A38")
        start = loop_time()
        for _ in range(count):
            await client.read("0x2A38")
        assert (loop_time() - start) / count == pytest.approx(expected, rel=0.02)


@in_virtual_time
async def test_a_phone_that_sends_four_packets_an_event_is_that_slow():
    async with connected(interval="30ms", packets_per_event=4) as (bench, client):
        async with client.subscribe("0x2A37"):
            for _ in range(400):
                bench.device.notify(0x2A37, bytes(20))
            await asyncio.sleep(5)
        assert rate(arrivals(bench, 0x1B), 0.03) == pytest.approx(4 / 0.03, rel=0.02)
