"""The client's end of one ATT bearer: what may be sent, and what an arriving PDU is.

It keeps the rules of Vol 3, Part F, 3.3: one request at a time, 30 s for its response. What a
response *means* is the business of :mod:`bletest.att.procedures`. A server may send anything;
nothing that arrives raises.
"""

from typing import NamedTuple, TypeAlias

from bletest.att import pdu as pdus
from bletest.att.bearer import DEFAULT_MTU
from bletest.att.sending import TRANSACTION_TIMEOUT

CONFIRMATION = b"\x1e"

_IS_RESPONSE = tuple(pdus.is_response(opcode) for opcode in range(256))
_SETTLES = tuple(one and opcode != 0x03 for opcode, one in enumerate(_IS_RESPONSE))


class ResponseArrived(NamedTuple):
    """The outstanding request is answered; whether the answer fits it, a procedure judges.

    ``fault`` says what the specification forbids about it all the same (a PDU longer than
    ATT_MTU), None if nothing.
    """

    pdu: bytes
    fault: str | None = None


class NotificationArrived(NamedTuple):
    """A Handle Value Notification."""

    handle: int
    value: bytes


class MultipleNotificationsArrived(NamedTuple):
    """A Multiple Handle Value Notification: pairs of handle and value, in order."""

    values: tuple[tuple[int, bytes], ...]


class IndicationArrived(NamedTuple):
    """A Handle Value Indication. ``confirmation`` is the PDU to send back."""

    handle: int
    value: bytes
    confirmation: bytes


class Unexpected(NamedTuple):
    """A PDU that has no business here. ``reason`` is a phrase for people."""

    pdu: bytes
    reason: str


ClientEvent: TypeAlias = (
    ResponseArrived
    | NotificationArrived
    | MultipleNotificationsArrived
    | IndicationArrived
    | Unexpected
)


class BearerBusy(RuntimeError):
    """A request is outstanding: a second one would break the protocol (3.3.2)."""


class BearerDead(RuntimeError):
    """A transaction timed out: nothing more may be sent on this bearer (3.3.3)."""


class ClientBearer:
    """One request at a time. ``now`` and :attr:`deadline` are in seconds.

    ``mtu`` is ATT_MTU in octets. An exchange that passes through here sets it; it may be
    written where a server engine on the same link exchanged it.
    """

    __slots__ = ("_deadline", "_outstanding", "dead", "mtu")

    def __init__(self, *, mtu: int = DEFAULT_MTU) -> None:
        self.mtu = mtu
        self.dead = False
        self._outstanding: bytes | None = None
        self._deadline: float | None = None

    @property
    def outstanding(self) -> bytes | None:
        """The request that waits for its response, None if there is none."""
        return self._outstanding

    @property
    def deadline(self) -> float | None:
        """When :meth:`expire` is due, None while nothing is awaited."""
        return self._deadline

    def start(self, request: bytes, now: float) -> None:
        """A request goes out; commands and confirmations need no start.

        ``request`` may be any octets that a response is hoped for. Raises :class:`BearerBusy`
        and :class:`BearerDead`; then it must not be sent.
        """
        if self.dead:
            raise BearerDead("a transaction has timed out on this bearer")
        if self._outstanding is not None:
            raise BearerBusy(f"unanswered: {pdus.describe(self._outstanding)}")
        self._outstanding = request
        self._deadline = now + TRANSACTION_TIMEOUT

    def receive(self, pdu: bytes, now: float) -> ClientEvent:
        """Say what a PDU from the server is. Never raises."""
        if not pdu:
            return Unexpected(pdu, "no octets")
        opcode = pdu[0]
        if _IS_RESPONSE[opcode]:
            return self._response(pdu)
        if opcode in (0x1B, 0x1D):
            if self.dead:
                return Unexpected(pdu, "the bearer is dead")
            if len(pdu) < 3:
                return Unexpected(pdu, "too short for a handle")
            if len(pdu) > self.mtu:
                return Unexpected(pdu, f"{len(pdu)} octets where ATT_MTU is {self.mtu}")
            handle = pdu[1] | pdu[2] << 8
            if opcode == 0x1B:
                return NotificationArrived(handle, pdu[3:])
            return IndicationArrived(handle, pdu[3:], CONFIRMATION)
        if opcode == 0x23:
            return self._multiple(pdu)
        return Unexpected(pdu, "nothing that a server sends to a client")

    def settles(self, pdu: bytes) -> bool:
        """Whether ``pdu`` is a faultless response to the outstanding request, which is then over.

        False leaves everything as it is, for :meth:`receive` to say what the PDU is. So most
        responses need no event. An exchange of MTU is always left to :meth:`receive`.
        """
        if self._outstanding is None or not _SETTLES[pdu[0] if pdu else 0] or len(pdu) > self.mtu:
            return False
        self._outstanding = self._deadline = None
        return True

    def abandon(self) -> None:
        """Stop waiting for the response: for tests that expect silence.

        What still comes is :class:`Unexpected`.
        """
        self._outstanding = self._deadline = None

    def expire(self, now: float) -> None:
        """Past the deadline the transaction has failed and the bearer is dead (3.3.3)."""
        if self._deadline is not None and now >= self._deadline:
            self.abandon()
            self.dead = True

    def _response(self, pdu: bytes) -> ClientEvent:
        request = self._outstanding
        if request is None:
            return Unexpected(pdu, "a response that nothing asked for")
        self._outstanding = self._deadline = None
        fault = None
        if len(pdu) > self.mtu:
            fault = f"{len(pdu)} octets where ATT_MTU is {self.mtu}"
        if pdu[0] == 0x03 and len(pdu) == 3 and request[:1] == b"\x02" and len(request) == 3:
            self.mtu = max(DEFAULT_MTU, min(_mtu(request), _mtu(pdu)))
        return ResponseArrived(pdu, fault)

    def _multiple(self, pdu: bytes) -> ClientEvent:
        if self.dead:
            return Unexpected(pdu, "the bearer is dead")
        if len(pdu) > self.mtu:
            return Unexpected(pdu, f"{len(pdu)} octets where ATT_MTU is {self.mtu}")
        try:
            parsed = pdus.parse(pdu)
        except pdus.MalformedPdu as malformed:
            return Unexpected(pdu, malformed.reason)
        assert isinstance(parsed, pdus.MultipleHandleValueNotification)
        return MultipleNotificationsArrived(parsed.values)


def _mtu(pdu: bytes) -> int:
    return pdu[1] | pdu[2] << 8
