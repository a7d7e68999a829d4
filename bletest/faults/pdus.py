"""ATT PDUs as faults see them: which occasion one is, and what becomes of it."""

from collections.abc import Iterable, Mapping

from bletest.profile.faults import Effect, FaultSpec, Occasion

OCCASION_OF: Mapping[int, Occasion] = {
    0x02: Occasion.MTU,
    0x04: Occasion.DISCOVERY,  # Find Information
    0x06: Occasion.DISCOVERY,  # Find By Type Value
    0x08: Occasion.DISCOVERY,  # Read By Type
    0x0A: Occasion.READ,
    0x0C: Occasion.READ_BLOB,
    0x0E: Occasion.READ,  # Read Multiple
    0x10: Occasion.DISCOVERY,  # Read By Group Type
    0x12: Occasion.WRITE,
    0x16: Occasion.PREPARE_WRITE,
    0x1B: Occasion.NOTIFICATION,
    0x1D: Occasion.INDICATION,
    0x1E: Occasion.CONFIRMATION,
    0x20: Occasion.READ,  # Read Multiple Variable
    0x52: Occasion.COMMAND,
    0xD2: Occasion.COMMAND,  # Signed Write Command
}
"""Opcodes of Vol 3, Part F, 3.4.8."""

WRITE_REQUEST = 0x12
_EXCHANGE_MTU_REQUEST = 0x02
_LISTS = frozenset({0x0E, 0x20})
_ONE_HANDLE = frozenset({0x0A, 0x0C, 0x12, 0x16, 0x1B, 0x1D, 0x52, 0xD2})

Sending = tuple[float, bytes]
"""Seconds to wait, and a PDU to send then."""


def handles_in(pdu: bytes) -> tuple[int, ...]:
    """Return the attribute handles that a PDU is about, none for a search."""
    if pdu[0] in _ONE_HANDLE and len(pdu) >= 3:
        return (pdu[1] | pdu[2] << 8,)
    if pdu[0] in _LISTS:
        return tuple(pdu[at] | pdu[at + 1] << 8 for at in range(1, len(pdu) - 1, 2))
    return ()


def answer_to(request: bytes, faults: Iterable[FaultSpec]) -> bytes | None:
    """Return the response that the faults ordain; None leaves it to the server.

    That is an Error Response with the code (3.4.1.1), or an Exchange MTU Response (3.4.2.2).
    """
    for spec in faults:
        if spec.effect is Effect.ANSWERS:
            if spec.occasion is Occasion.MTU:
                return b"\x03" + int(spec.argument or 0).to_bytes(2, "little")
            has_handle = len(request) >= 3 and request[0] != _EXCHANGE_MTU_REQUEST
            handle = request[1:3] if has_handle else bytes(2)
            return bytes((0x01, request[0])) + handle + bytes((int(spec.argument or 0),))
    return None


def spoil(pdu: bytes, faults: Iterable[FaultSpec]) -> list[Sending]:
    """Return what is sent in place of ``pdu``: nothing, something else, or the same twice."""
    delay = 0.0
    times = 1
    for spec in faults:
        match spec.effect:
            case Effect.DROPPED:
                return []
            case Effect.DELAYED:
                delay += spec.argument or 0.0
            case Effect.DUPLICATED:
                times += 1
            case Effect.OPCODE:
                pdu = bytes((int(spec.argument or 0),)) + pdu[1:]
            case Effect.TRUNCATED:
                pdu = pdu[: int(spec.argument or 0)]
            case Effect.CORRUPTED:
                # A PDU that is nothing but its opcode is made wrong by an octet too many.
                pdu = pdu[:1] + (bytes(one ^ 0xFF for one in pdu[1:]) or b"\xff")
            case _:
                pass
    return [(delay, pdu)] * times
