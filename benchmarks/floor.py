"""What a read costs with nothing but our ATT engines and the event loop."""

import asyncio

from benchmarks import operations, ours
from benchmarks.figures import HIGHER, LOWER, Figure, Measurement, Values
from benchmarks.harness import Effort, Stage, interleaved, median, rate, ratio
from bletest.att.access import LinkSecurity
from bletest.att.client import ClientBearer, ResponseArrived
from bletest.att.database import AttributeTable
from bletest.att.procedures import Procedure, read_long
from bletest.att.server import Server
from bletest.uuids import Uuid

MTU = 247


class BareLink:
    """A client engine and a server engine; each PDU takes one turn of the loop."""

    def __init__(self) -> None:
        table = AttributeTable()
        table.add_service(Uuid(0xFF00))
        characteristic = table.add_characteristic(Uuid(0xFF01), {"read"}, ours.VALUE)
        self._handle = characteristic.value.handle
        self._server = Server(table).connect("client", LinkSecurity(), mtu=MTU)
        self._client = ClientBearer(mtu=MTU)
        self._loop = asyncio.get_running_loop()
        self._procedure: Procedure[bytes]
        self._value: asyncio.Future[bytes]

    async def read(self) -> bytes:
        self._value = self._loop.create_future()
        self._procedure = read_long(self._handle, mtu=MTU)
        self._request(next(self._procedure))
        return await self._value

    def _request(self, pdu: bytes) -> None:
        self._client.start(pdu, self._loop.time())
        self._loop.call_soon(self._at_server, pdu)

    def _at_server(self, pdu: bytes) -> None:
        response = self._server.receive(pdu, self._loop.time())
        if response is not None:
            self._loop.call_soon(self._at_client, response)

    def _at_client(self, pdu: bytes) -> None:
        event = self._client.receive(pdu, self._loop.time())
        assert isinstance(event, ResponseArrived)
        try:
            request = self._procedure.send(event.pdu)
        except StopIteration as done:
            self._value.set_result(done.value)
        else:
            self._request(request)


async def bare_read() -> operations.Batch:
    return operations.repeated(BareLink().read)


def measure(effort: Effort) -> Values:
    with Stage() as stage, Stage() as bare_stage:
        pair = stage.run(operations.pair_up(stage.open(ours.open_air(1, ours.profile()))))
        batch, bare_batch = stage.run(operations.read(pair)), bare_stage.run(bare_read())

        def sample() -> float:
            pair.air.transcript.clear()
            return stage.run(rate(batch, effort.seconds))

        samples = interleaved(
            effort.rounds,
            {"ours": sample, "bare": lambda: bare_stage.run(rate(bare_batch, effort.seconds))},
        )
    # Rates turned round: the figure is time over time.
    return {
        "floor.read_ratio": ratio(samples["bare"], samples["ours"]),
        "floor.reads_per_s": median(samples["bare"]),
    }


MEASUREMENTS = (
    Measurement(
        (
            Figure(
                "floor.read_ratio",
                "time of a read, against bare engines on the loop",
                "×",
                LOWER,
                "≤ 1.5",
            ),
            Figure("floor.reads_per_s", "reads, bare engines on the loop", "/s", HIGHER),
        ),
        measure,
    ),
)
