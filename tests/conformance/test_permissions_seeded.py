"""The matrix can fail: engines that are wrong in one thing each, and the cells that show it."""

from copy import copy

import pytest

from bletest.att import answers, sending
from bletest.att.access import LinkSecurity
from bletest.att.bearer import ServerBearer
from bletest.att.codes import ErrorCode
from bletest.att.security import refusal
from bletest.att.server import Server
from bletest.link.host import AttHost
from bletest.peripheral.links import ClientLink
from tests.conformance.permissions import engine, walks
from tests.conformance.permissions.engine import Bench

READS = ("Read", "Read Multiple, last")
ASKED = ("Read By Type, first", "Write Request", "Configure")


def judges(monkeypatch, replaced):
    """Have the engine judge by another function, wherever it does."""
    monkeypatch.setattr(answers, "refusal", replaced)
    monkeypatch.setattr(sending, "refusal", replaced)


def authorization_first(monkeypatch):
    def swapped(access, security):
        if access.authorized and not security.authorized:
            return ErrorCode.INSUFFICIENT_AUTHORIZATION
        return refusal(access, security)

    judges(monkeypatch, swapped)


def key_size_before_authentication(monkeypatch):
    def swapped(access, security):
        if security.encrypted and access.encrypted and security.key_size < access.key_size:
            return ErrorCode.ENCRYPTION_KEY_SIZE_TOO_SHORT
        return refusal(access, security)

    judges(monkeypatch, swapped)


def without(**granted):
    """A judge that takes some things for granted."""

    def seed(monkeypatch):
        def blind(access, security):
            better = copy(security)
            for name, value in granted.items():
                setattr(better, name, value)
            return refusal(access, better)

        judges(monkeypatch, blind)

    return seed


def one_octet_too_generous(monkeypatch):
    def generous(access, security):
        better = copy(security)
        better.key_size += 1
        return refusal(access, better)

    judges(monkeypatch, generous)


def multiple_reads_leak(monkeypatch):
    def first_only(bearer, pdu):
        handles = [pdu[at] | pdu[at + 1] << 8 for at in range(1, len(pdu), 2)]
        attributes = [bearer.server.table.get(one) for one in handles]
        answers._check_read(bearer, attributes[0])
        return attributes

    monkeypatch.setattr(answers, "_handle_set", first_only)


def guesses_are_compared(monkeypatch):
    def unguarded(bearer, pdu):
        attribute = bearer.server.table.get(pdu[1] | pdu[2] << 8)
        if attribute.value != pdu[7:]:
            raise answers.Refusal(attribute.handle, ErrorCode.ATTRIBUTE_NOT_FOUND)
        return b"\x07" + attribute.handle.to_bytes(2, "little") * 2

    monkeypatch.setitem(answers.PROMPT_ANSWERS, 0x06, unguarded)


def lists_fail_whole(monkeypatch):
    right = answers.read_by_type

    def strict(bearer, pdu):
        start, end = answers._range(pdu, True)
        for attribute in bearer.server.table.of_type(answers.Uuid.from_bytes(pdu[5:]), start, end):
            answers._check_read(bearer, attribute)
        return (yield from right(bearer, pdu))

    monkeypatch.setitem(answers.ANSWERS, 0x08, strict)


def prepared_unjudged(monkeypatch):
    def unguarded(bearer, pdu):
        attribute = bearer.server.table.get(pdu[1] | pdu[2] << 8)
        bearer.prepared.append(answers.Part(attribute, pdu[3] | pdu[4] << 8, pdu[5:]))
        return b"\x17" + pdu[1:]

    monkeypatch.setitem(answers.PROMPT_ANSWERS, 0x16, unguarded)


def offset_first(monkeypatch):
    right = answers.read

    def leaking(bearer, attribute, opcode, offset):
        if offset > len(attribute.value):
            raise answers.Refusal(attribute.handle, ErrorCode.INVALID_OFFSET)
        return (yield from right(bearer, attribute, opcode, offset))

    monkeypatch.setattr(answers, "read", leaking)


def length_first(monkeypatch):
    right = answers.write

    def leaking(bearer, attribute, value, operation):
        if not attribute.min_length <= len(value) <= attribute.max_length:
            raise answers.Refusal(attribute.handle, ErrorCode.INVALID_ATTRIBUTE_VALUE_LENGTH)
        return (yield from right(bearer, attribute, value, operation))

    monkeypatch.setattr(answers, "write", leaking)


def writes_ask_what_reads_ask(monkeypatch):
    monkeypatch.setattr(
        answers, "_check_write", lambda bearer, attribute, _: answers._check_read(bearer, attribute)
    )


def commands_are_refused_aloud(monkeypatch):
    right = ServerBearer._write_command

    def loud(bearer, pdu, now):
        before = bearer.server.table.get(pdu[1] | pdu[2] << 8).value
        right(bearer, pdu, now)
        unchanged = bearer.server.table.get(pdu[1] | pdu[2] << 8).value == before
        return b"\x01\x52" + pdu[1:3] + b"\x03" if unchanged else None

    dispatch(monkeypatch, 0x52, loud)


def signed_on_any_link(monkeypatch):
    right = ServerBearer._signed_write

    def anywhere(bearer, pdu, now):
        link, bearer.security = bearer.security, copy(bearer.security)
        bearer.security.encrypted = False
        try:
            return right(bearer, pdu, now)
        finally:
            bearer.security = link

    dispatch(monkeypatch, 0xD2, anywhere)


def dispatch(monkeypatch, opcode, function):
    """Put another function behind an opcode."""
    from bletest.att import bearer

    changed = list(bearer._LIVE)
    changed[opcode] = function
    monkeypatch.setattr(bearer, "_LIVE", tuple(changed))


def sends_to_anyone(monkeypatch):
    monkeypatch.setattr(sending, "refusal", lambda _access, _security: None)


def queue_is_not_judged_again(monkeypatch):
    class Trusting(ServerBearer):
        __slots__ = ()

        def indicates(self, handle):
            return self._awaiting is None or super().indicates(handle)

        def _confirmation(self, pdu, now):
            if self._queue:
                handle, value, _ = self._queue.popleft()
                self._queue.appendleft((handle, value, False))
            return super()._confirmation(pdu, now)

    dispatch(monkeypatch, 0x1E, Trusting._confirmation)
    monkeypatch.setattr("bletest.att.server.ServerBearer", Trusting)


def enhanced_bearers_keep_what_they_saw(monkeypatch):
    def wire(server, security):
        opened = LinkSecurity(True, True, True, True, True, 16)
        return {
            kind: server.connect("client", security if kind == "unenhanced" else opened, mtu=64)
            for kind in ("unenhanced", "enhanced")
        }

    monkeypatch.setattr(engine, "open_bearers", wire)


SEEDS = {
    authorization_first: ASKED,
    key_size_before_authentication: ASKED,
    without(key_size=16): ASKED,
    without(authorized=True): ASKED,
    without(authenticated=True): ASKED,
    without(secure_connections=True): ASKED,
    without(encrypted=True): ASKED,
    without(bonded=True): READS,
    without(bonded=False): READS,
    one_octet_too_generous: ASKED,
    multiple_reads_leak: ("Read Multiple, last", "Read Multiple Variable, last"),
    guesses_are_compared: ("Find By Type Value, right guess",),
    lists_fail_whole: ("Read By Type, second",),
    prepared_unjudged: ("Prepare Write, Execute Write", "Configure by Prepare Write"),
    offset_first: ("Read Blob, past the end",),
    length_first: ("Write Request, too long", "Configure, wrong length"),
    writes_ask_what_reads_ask: ("Write Request", "Write Command", "Configure"),
    commands_are_refused_aloud: ("Write Command", "Configure by Write Command"),
    signed_on_any_link: ("Signed Write Command",),
    sends_to_anyone: ("Notification, once configured", "Indication, once configured"),
    queue_is_not_judged_again: ("Indication that had to wait",),
    enhanced_bearers_keep_what_they_saw: ("Read", "Write Request", "Configure"),
}


@pytest.mark.parametrize(
    ("seed", "names"), SEEDS.items(), ids=[f"{n}-{one.__name__}" for n, one in enumerate(SEEDS)]
)
def test_a_wrong_engine_is_found(seed, names, monkeypatch):
    seed(monkeypatch)
    bench = Bench(thin=5)
    assert all(bench.run(name).wrong for name in names)


# On the air


def enhanced_bearers_are_opened_for_good(monkeypatch):
    right = Server.connect

    def connect(server, identity, security, **more):
        return right(server, identity, copy(security) if more.get("enhanced") else security, **more)

    monkeypatch.setattr(Server, "connect", connect)


def every_key_is_whole(monkeypatch):
    monkeypatch.setattr(AttHost, "remember_key_size", lambda _host, _key, _size: None)


def a_link_comes_back_as_it_was(monkeypatch):
    right = ClientLink.__init__

    def remembering(link, identity, connection, bonds, *more):
        right(link, identity, connection, bonds, *more)
        link.security.encrypted = identity in bonds

    monkeypatch.setattr(ClientLink, "__init__", remembering)


@pytest.mark.parametrize(
    ("seed", "way"),
    [
        (enhanced_bearers_are_opened_for_good, "a weaker pairing over a stronger"),
        (every_key_is_whole, "a legacy bond of 7 octets"),
        (a_link_comes_back_as_it_was, "legacy bond"),
    ],
)
def test_a_wrong_device_is_found_on_the_air(seed, way, monkeypatch):
    seed(monkeypatch)
    outcome, _ = walks.run(way)
    assert outcome.wrong
