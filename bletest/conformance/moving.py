"""From mode to mode: the ways that a profile's rules open, and a client that follows the device."""

from collections import deque
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bletest.conformance.registry import Flaw
from bletest.conformance.security import secured, within_reach
from bletest.conformance.steps import characteristic_of, not_accepted, octets
from bletest.conformance.writes import reply_missing
from bletest.contracts.client import Client, Subscription
from bletest.contracts.windows import Deadline, Window
from bletest.errors import ConnectionFailed, DeviceNotFound, LinkLost, SubscriptionEnded
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation
from bletest.profile.rules import NORMAL, Reboot, Reply, Template, WriteRule, rule_for

_LINK_ENDS = 10.0
"""Seconds in which a client notices at the latest that a device has gone without a word."""

_SEEN = 3.0
"""Seconds in which a scanner sees a device that advertises, beside ten of its intervals."""

_TOLERANCE = 0.2
"""The share by which a device may be away for longer than its profile says."""


@dataclass(frozen=True, slots=True)
class Move:
    """A write that reboots the device: ``rule`` is the ``number``-th, ``value`` one for it."""

    characteristic: CharacteristicExpectation
    number: int
    rule: WriteRule
    value: bytes
    reboot: Reboot


def plain_rules(
    device: DeviceExpectation,
) -> Iterator[tuple[CharacteristicExpectation, int, WriteRule, bytes]]:
    """Yield each rule that one write is enough for, with its number and that write."""
    initial = {name: one.initial for name, one in device.state.items()}
    for one in device.characteristics():
        writes = one.properties & {"write", "write_without_response"}
        if one.write is None or not writes or not within_reach(device.security, one.write):
            continue
        for number, rule in enumerate(one.rules, 1):
            value = rule.match
            if not isinstance(value, bytes) or rule_for(one.rules, value) is not rule:
                continue
            meets = all(initial[name] in values for name, values in rule.when)
            if meets and rule.verify is None and rule.error is None:
                yield one, number, rule, value


async def follow_rule(
    client: Client,
    device: DeviceExpectation,
    characteristic: CharacteristicExpectation,
    rule: WriteRule,
    value: bytes,
) -> list[Flaw]:
    """Write what a rule is for, and wait for its replies; return what is wrong."""
    await secured(client, characteristic.write)
    flaws: list[Flaw] = []
    written = False
    try:
        async with AsyncExitStack() as stack:
            listening = await _listen(client, device, rule, stack)
            start = client.now()
            outcome = await client.attempt.write(
                characteristic_of(client, characteristic),
                value,
                response="write" in characteristic.properties,
            )
            written = True
            # Who reboots at once may not have answered any more.
            if not (rule.reboot and outcome.symptom == "link_lost"):
                flaws += not_accepted(outcome, f"the profile has a rule for {octets(value)}")
            for reply, via in () if flaws else _awaited(client, device, rule):
                deadline = Deadline.after(reply.within, now=start, timing=client.timing)
                flaws += await reply_missing(
                    client, listening[via.path], via, reply, value, deadline
                )
    except SubscriptionEnded as error:
        flaws.append(Flaw("a reply before the link ends", error.message))
    except LinkLost:
        # The subscriptions end with the link, or a little before it.
        if rule.reboot is None or not written:
            raise
    return flaws


def _awaited(
    client: Client, device: DeviceExpectation, rule: WriteRule
) -> Iterator[tuple[Reply, CharacteristicExpectation]]:
    """Yield the replies that a client can tell, and that come for sure."""
    # What leaves shortly before the reboot may not travel any more.
    on_its_way = client.timing.lateness + client.timing.interval
    for reply in rule.replies:
        via = device.characteristic(reply.via)
        known = not reply.subscribers and not isinstance(reply.value, Template)
        in_time = rule.reboot is None or reply.after + on_its_way < rule.reboot.after
        if via is not None and known and in_time:
            yield reply, via


async def _listen(
    client: Client, device: DeviceExpectation, rule: WriteRule, stack: AsyncExitStack
) -> dict[str, Subscription]:
    listening: dict[str, Subscription] = {}
    for reply in rule.replies:
        via = device.characteristic(reply.via)
        if via is not None and via.path not in listening and not reply.subscribers:
            await secured(client, via.subscribe)
            subscription = client.subscribe(characteristic_of(client, via))
            listening[via.path] = await stack.enter_async_context(subscription)
    return listening


def moves(device: DeviceExpectation) -> list[Move]:
    """Return the writes that reboot a device in the mode that ``device`` describes."""
    return [
        Move(one, number, rule, value, rule.reboot)
        for one, number, rule, value in plain_rules(device)
        if rule.reboot is not None
    ]


def way(device: DeviceExpectation, start: str, goal: str) -> tuple[Move, ...] | None:
    """Return the shortest way from mode to mode, None where the rules know none."""
    ways: dict[str, tuple[Move, ...]] = {start: ()}
    queue = deque([start])
    while queue and goal not in ways:
        here = queue.popleft()
        for move in moves(in_mode(device, here)):
            if move.reboot.enter not in ways:
                ways[move.reboot.enter] = (*ways[here], move)
                queue.append(move.reboot.enter)
    return ways.get(goal)


def in_mode(device: DeviceExpectation, name: str) -> DeviceExpectation:
    """Return what the device is in a mode."""
    return device if name == NORMAL else device.modes[name].device


def same_address(device: DeviceExpectation, name: str) -> bool:
    """Whether the device keeps its address in a mode."""
    return name == NORMAL or device.modes[name].address == 0


class Traveller:
    """A client that goes where the device goes. It begins in the normal mode.

    ``flaws`` are what went wrong on the way; nothing more is done once there is one.
    """

    def __init__(self, client: Client, device: DeviceExpectation) -> None:
        self.client = client
        self.device = device
        self.mode = NORMAL
        self.flaws: list[Flaw] = []
        self._home = client.address

    @property
    def expected(self) -> DeviceExpectation:
        """What the device should be where it is now."""
        return in_mode(self.device, self.mode)

    async def travel(self, way_: tuple[Move, ...] | None) -> bool:
        """Go all of a way; whether the client is at its end."""
        for move in way_ or ():
            if not self.flaws:
                await self.go(move)
        return not self.flaws

    async def home(self) -> None:
        """Bring the device back to its normal mode where the profile's rules know a way."""
        await self.travel(way(self.device, self.mode, NORMAL))

    async def go(self, move: Move) -> None:
        """Write what reboots the device, and meet it again where it should be then."""
        self.flaws += await follow_rule(
            self.client, self.expected, move.characteristic, move.rule, move.value
        )
        if not self.flaws:
            await self.meet(move.reboot)

    async def meet(self, reboot: Reboot) -> None:
        """Wait until the link has ended and the device is back as what it should be then."""
        client = self.client
        if not await client.ended(within=reboot.after + _LINK_ENDS):
            expected = (
                f"the link ends within {reboot.after + _LINK_ENDS:g} s, as the device reboots"
            )
            self.flaws.append(Flaw(expected, "it is still up"))
            return
        self.mode = reboot.enter
        await self.find(reboot.down)

    async def find(self, down: float) -> None:
        """Connect to the device, which may be away for ``down`` seconds more."""
        wanted, client = self.expected, self.client
        away = Window.around(down, tolerance=_TOLERANCE, timing=client.timing).latest
        within = away + max(_SEEN, 10 * wanted.advertising.interval)
        address = self._address()
        name = wanted.advertising.name
        try:
            await client.connect_to(address=address, name=name, within=within)
        except (DeviceNotFound, ConnectionFailed) as error:
            called = f"{address} ({name})" if address is not None and name else address or name
            expected = f"after {down:g} s the device is back in the mode {self.mode}, as {called}"
            self.flaws.append(Flaw(expected, error.message))

    def _address(self) -> str | None:
        """Return the address of the device here, None where the adapter does not show one."""
        offset = 0 if self.mode == NORMAL else self.device.modes[self.mode].address
        if isinstance(offset, str):
            return offset
        head, colon, last = self._home.rpartition(":")
        if not offset:
            return self._home
        return f"{head}:{(int(last, 16) + offset) % 256:02X}" if colon else None
