"""A GATT server made of bumble's radio and plain octets: it shares no line with our engines.

Its database is a list of handles, types and values; what it answers is put together here from
those octets. A test bends it: an answer of its own to an opcode, an error, or silence.
"""

import asyncio
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from bumble import hci
from bumble.controller import Controller
from bumble.device import Connection, Device
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from tests.support.raw_central import Air

ATT_CID = 4
NAME = b"Scripted"
UUID_128 = bytes.fromhex("9ecadc240ee5a9e093f3a3b5")

SHORT, LONG, COMMANDS, NOTIFIED, INDICATED = 0x0032, 0x0035, 0x0038, 0x003A, 0x003D
RELIABLE, PRESENTED, AGGREGATE = 0x0040, 0x0043, 0x0046
LONG_VALUE = bytes(range(60))
DESCRIBED = b"a description that does not fit into one response"

DATABASE: tuple[tuple[int, int | bytes, bytes], ...] = (
    (0x0001, 0x2800, b"\x00\x18"),
    (0x0002, 0x2803, b"\x02\x03\x00\x00\x2a"),
    (0x0003, 0x2A00, NAME),
    (0x0010, 0x2800, b"\x01\x18"),
    (0x0011, 0x2803, b"\x20\x12\x00\x05\x2a"),
    (0x0012, 0x2A05, b""),
    (0x0013, 0x2902, b"\x00\x00"),
    (0x0014, 0x2803, b"\x0a\x15\x00\x29\x2b"),
    (0x0015, 0x2B29, b"\x00"),
    (0x0016, 0x2803, b"\x02\x17\x00\x2a\x2b"),
    (0x0017, 0x2B2A, bytes(range(0xF0, 0x100))),
    (0x0020, 0x2800, b"\x0f\x18"),
    (0x0021, 0x2802, b"\x60\x00\x62\x00\x0a\x18"),
    (0x0022, 0x2802, b"\x70\x00\x72\x00"),
    (0x0023, 0x2803, b"\x12\x24\x00\x19\x2a"),
    (0x0024, 0x2A19, b"\x64"),
    (0x0025, 0x2902, b"\x00\x00"),
    (0x0030, 0x2800, b"\x00\xff"),
    (0x0031, 0x2803, b"\x0a\x32\x00\x01\xff"),
    (SHORT, 0xFF01, b"short"),
    (0x0033, 0x2901, b"described"),
    (0x0034, 0x2803, b"\x0a\x35\x00\x02\xff"),
    (LONG, 0xFF02, LONG_VALUE),
    (0x0036, 0x2901, DESCRIBED),
    (0x0037, 0x2803, b"\x44\x38\x00\x03\xff"),
    (COMMANDS, 0xFF03, b""),
    (0x0039, 0x2803, b"\x10\x3a\x00\x04\xff"),
    (NOTIFIED, 0xFF04, b""),
    (0x003B, 0x2902, b"\x00\x00"),
    (0x003C, 0x2803, b"\x20\x3d\x00\x05\xff"),
    (INDICATED, 0xFF05, b""),
    (0x003E, 0x2902, b"\x00\x00"),
    (0x003F, 0x2803, b"\x8a\x40\x00\x06\xff"),
    (RELIABLE, 0xFF06, b"reliable"),
    (0x0041, 0x2900, b"\x01\x00"),
    (0x0042, 0x2803, b"\x02\x43\x00\x07\xff"),
    # 0x0E, 16 bits with a sign, times 10^-2, degrees Celsius, Bluetooth SIG's "first".
    (PRESENTED, 0xFF07, b"\xc5\xf6"),
    (0x0044, 0x2904, b"\x0e\xfe\x2f\x27\x01\x01\x00"),
    (0x0045, 0x2803, b"\x02\x46\x00\x08\xff"),
    # 0x04, 8 bits, percent; 0x06, 16 bits, seconds: in the order of the list, not of handles.
    (AGGREGATE, 0xFF08, b"\x10\x0e\x2a"),
    (0x0047, 0x2904, b"\x04\x00\xad\x27\x01\x00\x00"),
    (0x0048, 0x2904, b"\x06\x00\x03\x27\x01\x00\x00"),
    (0x0049, 0x2905, b"\x48\x00\x47\x00"),
    (0x0060, 0x2801, b"\x0a\x18"),
    (0x0061, 0x2803, b"\x02\x62\x00\x29\x2a"),
    (0x0062, 0x2A29, b"Maker"),
    (0x0070, 0x2800, UUID_128 + b"\x01\x00\x40\x6e"),
    (0x0071, 0x2803, b"\x02\x72\x00" + UUID_128 + b"\x02\x00\x40\x6e"),
    (0x0072, UUID_128 + b"\x02\x00\x40\x6e", b"wide"),
    (0x0080, 0x2800, b"\x0f\x18"),
    (0x0081, 0x2803, b"\x02\x82\x00\x19\x2a"),
    (0x0082, 0x2A19, b"\x32"),
)


def u16(number: int) -> bytes:
    """16 bits as they travel."""
    return number.to_bytes(2, "little")


def number_at(octets: bytes, at: int) -> int:
    """Read 16 bits."""
    return octets[at] | octets[at + 1] << 8


def error(request: bytes, code: int, handle: int | None = None) -> bytes:
    """The Error Response to a request, for its first handle where no other is named."""
    named = handle if handle is not None else (number_at(request, 1) if len(request) > 2 else 0)
    return bytes((0x01, request[0])) + u16(named) + bytes((code,))


Answer = Callable[[bytes], bytes | None]


class ScriptedServer:
    """``async with ScriptedServer(air) as server: …`` has it advertising.

    ``received`` are the ATT PDUs of the client, in order, ``arrived`` when each came (seconds on
    the loop's clock). ``answers`` has, by opcode, what answers instead of the database; None is
    silence. ``mtu`` is the Server Rx MTU.
    """

    def __init__(self, air: Air, *, address: str = "C0:00:00:00:00:07", mtu: int = 23) -> None:
        self.address = address
        self.mtu = mtu
        self.bearer_mtu = 23
        self.received: list[bytes] = []
        self.arrived: list[float] = []
        self.answers: dict[int, Answer] = {}
        self.attributes: dict[int, tuple[bytes, bytes]] = {}
        for handle, type_, value in DATABASE:
            self.put(handle, type_, value)
        self._prepared: list[tuple[int, int, bytes]] = []
        self._air = air
        self._controller: Any = air.new_controller(f"scripted {address}")
        assert isinstance(self._controller, Controller)
        host = Host()
        host.set_packet_sink(self._controller)
        host.set_packet_source(self._controller)
        self.device = Device(
            name="scripted",
            address=hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS),
            host=host,
        )
        self.device.keystore = MemoryKeyStore()
        keys = PairingDelegate.DEFAULT_KEY_DISTRIBUTION
        signing = PairingDelegate.KeyDistribution.DISTRIBUTE_SIGNING_KEY
        self.device.pairing_config_factory = lambda _: PairingConfig(
            mitm=False,
            delegate=PairingDelegate(PairingDelegate.NO_OUTPUT_NO_INPUT, keys | signing, keys),
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )
        self.device.l2cap_channel_manager.register_fixed_channel(ATT_CID, self._on_att)
        self.device.on("connection", self._on_connection)
        self.connection: Connection

    async def __aenter__(self) -> Self:
        await self.device.power_on()
        await self.device.start_advertising(
            auto_restart=True,
            advertising_data=b"\x02\x01\x06",
            advertising_interval_min=100,
            advertising_interval_max=100,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.device.power_off()
        self._air.remove_controller(self._controller)

    def put(self, handle: int, type_: int | bytes, value: bytes) -> None:
        """Have an attribute in the database."""
        octets = type_ if isinstance(type_, bytes) else u16(type_)
        self.attributes[handle] = (octets, value)
        self.attributes = dict(sorted(self.attributes.items()))

    def value(self, handle: int) -> bytes:
        """The value of an attribute."""
        return self.attributes[handle][1]

    def send(self, pdu: bytes) -> None:
        """Send any octets on the ATT channel."""
        self.device.send_l2cap_pdu(self.connection.handle, ATT_CID, pdu)

    def refuse(self, opcode: int, code: int, *, handle: int | None = None) -> None:
        """Answer requests of an opcode with an error; the error names ``handle``."""
        self.answers[opcode] = lambda pdu: error(pdu, code, handle)

    def mute(self, opcode: int) -> None:
        """Answer requests of an opcode with nothing."""
        self.answers[opcode] = lambda _: None

    def forget(self) -> None:
        """Begin the record of what the client sends anew."""
        self.received.clear()
        self.arrived.clear()

    def _on_connection(self, connection: Connection) -> None:
        self.connection = connection
        self.bearer_mtu = 23
        self._prepared.clear()

    def _on_att(self, _handle: int, pdu: bytes) -> None:
        self.received.append(pdu)
        self.arrived.append(asyncio.get_running_loop().time())
        answer = self.answers.get(pdu[0], self.answer)(pdu)
        if answer is not None:
            self.send(answer)

    def answer(self, pdu: bytes) -> bytes | None:
        """What the database answers to a PDU."""
        method = {
            0x02: self._exchange_mtu,
            0x04: self._find_information,
            0x06: self._find_by_type_value,
            0x08: self._read_by_type,
            0x0A: self._read,
            0x0C: self._read,
            0x0E: self._read_multiple,
            0x10: self._read_by_group_type,
            0x12: self._write,
            0x16: self._prepare,
            0x18: self._execute,
            0x20: self._read_multiple,
        }.get(pdu[0])
        if method is not None:
            return method(pdu)
        if pdu[0] == 0x1E or pdu[0] & 0x40:  # a confirmation, or a command
            if pdu[0] == 0x52:
                self._store(number_at(pdu, 1), pdu[3:])
            return None
        return error(pdu, 0x06, 0)

    # What each request is answered with

    def _exchange_mtu(self, pdu: bytes) -> bytes:
        self.bearer_mtu = max(23, min(number_at(pdu, 1), self.mtu))
        return b"\x03" + u16(self.mtu)

    def _in_range(self, pdu: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        first, last = number_at(pdu, 1), number_at(pdu, 3)
        for handle, (type_, value) in self.attributes.items():
            if first <= handle <= last:
                yield handle, type_, value

    def _records(self, pdu: bytes, records: list[bytes], head: int) -> bytes:
        """Records of the size of the first, as many as fit behind ``head`` octets."""
        if not records:
            return error(pdu, 0x0A)
        size = len(records[0])
        fitting: list[bytes] = []
        for record in records:
            if len(record) != size or head + size * (len(fitting) + 1) > self.bearer_mtu:
                break
            fitting.append(record)
        return b"".join(fitting)

    def _find_information(self, pdu: bytes) -> bytes:
        records = [u16(handle) + type_ for handle, type_, _ in self._in_range(pdu)]
        octets = self._records(pdu, records, 2)
        if octets[0] == 0x01 and not records:
            return octets
        return b"\x05" + (b"\x01" if len(records[0]) == 4 else b"\x02") + octets

    def _group_end(self, handle: int) -> int:
        """The last attribute before the next service."""
        end = handle
        for one, (type_, _) in self.attributes.items():
            if one > handle:
                if type_ in (b"\x00\x28", b"\x01\x28"):
                    break
                end = one
        return end

    def _find_by_type_value(self, pdu: bytes) -> bytes:
        records = [
            u16(handle) + u16(self._group_end(handle))
            for handle, type_, value in self._in_range(pdu)
            if type_ == pdu[5:7] and value == pdu[7:]
        ]
        octets = self._records(pdu, records, 1)
        return b"\x07" + octets if records else octets

    def _read_by_type(self, pdu: bytes) -> bytes:
        room = self.bearer_mtu - 4
        records = [
            u16(handle) + value[:room]
            for handle, type_, value in self._in_range(pdu)
            if type_ == pdu[5:]
        ]
        octets = self._records(pdu, records, 2)
        return b"\x09" + bytes((len(records[0]),)) + octets if records else octets

    def _read_by_group_type(self, pdu: bytes) -> bytes:
        records = [
            u16(handle) + u16(self._group_end(handle)) + value
            for handle, type_, value in self._in_range(pdu)
            if type_ == pdu[5:]
        ]
        octets = self._records(pdu, records, 2)
        return b"\x11" + bytes((len(records[0]),)) + octets if records else octets

    def _read(self, pdu: bytes) -> bytes:
        handle = number_at(pdu, 1)
        if handle not in self.attributes:
            return error(pdu, 0x01)
        offset = number_at(pdu, 3) if pdu[0] == 0x0C else 0
        value = self.value(handle)
        if offset > len(value):
            return error(pdu, 0x07)
        return bytes((pdu[0] + 1,)) + value[offset : offset + self.bearer_mtu - 1]

    def _read_multiple(self, pdu: bytes) -> bytes:
        octets = bytes((pdu[0] + 1,))
        for at in range(1, len(pdu), 2):
            handle = number_at(pdu, at)
            if handle not in self.attributes:
                return error(pdu, 0x01, handle)
            value = self.value(handle)
            octets += (u16(len(value)) if pdu[0] == 0x20 else b"") + value
        return octets[: self.bearer_mtu]

    def _store(self, handle: int, value: bytes) -> None:
        if handle in self.attributes:
            self.attributes[handle] = (self.attributes[handle][0], value)

    def _write(self, pdu: bytes) -> bytes:
        handle = number_at(pdu, 1)
        if handle not in self.attributes:
            return error(pdu, 0x01)
        self._store(handle, pdu[3:])
        return b"\x13"

    def _prepare(self, pdu: bytes) -> bytes:
        handle = number_at(pdu, 1)
        if handle not in self.attributes:
            return error(pdu, 0x01)
        self._prepared.append((handle, number_at(pdu, 3), pdu[5:]))
        return b"\x17" + pdu[1:]

    def _execute(self, pdu: bytes) -> bytes:
        values: dict[int, bytes] = {}
        if pdu[1] == 0x01:
            for handle, offset, part in self._prepared:
                values[handle] = values.get(handle, b"")[:offset] + part
        self._prepared.clear()
        for handle, value in values.items():
            self._store(handle, value)
        return b"\x19"

    def prepared(self) -> int:
        """How many parts of prepared writes are queued."""
        return len(self._prepared)
