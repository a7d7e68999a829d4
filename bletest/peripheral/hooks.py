"""What an emulated device's own code can be called for, beside reads and writes."""

import abc
import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from bletest.peripheral.requests import REMOTE_USER

if TYPE_CHECKING:
    from bletest.peripheral.characteristic import ServerCharacteristic
    from bletest.peripheral.links import ClientLink


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """A client did something. ``client`` is its address, ``disconnect()`` ends its link."""

    client: str
    _hang_up: Callable[[str, int], None] = field(repr=False, compare=False, kw_only=True)

    def disconnect(self, reason: int = REMOTE_USER) -> None:
        """End the link with that client, with an HCI reason (Vol 1, Part F, 1.3)."""
        self._hang_up(self.client, reason)


@dataclass(frozen=True, slots=True)
class Connected(ClientEvent):
    """A client has connected."""


@dataclass(frozen=True, slots=True)
class Disconnected(ClientEvent):
    """A link has ended, with an HCI ``reason`` (Vol 1, Part F)."""

    reason: int


@dataclass(frozen=True, slots=True)
class MtuChanged(ClientEvent):
    """ATT_MTU of a link is now ``mtu`` octets; the client had asked for ``asked``."""

    mtu: int
    asked: int


@dataclass(frozen=True, slots=True)
class PairingEnded(ClientEvent):
    """Pairing is over. ``reason`` is None where it went well, else why not (Part H, 3.5.5).

    The others say what the link has gained: whether its key is authenticated, and from LE Secure
    Connections, its octets, and whether it is kept.
    """

    reason: int | None
    authenticated: bool = False
    secure_connections: bool = False
    key_size: int = 0
    bonded: bool = False


@dataclass(frozen=True, slots=True)
class Subscribed(ClientEvent):
    """A client has enabled notifications or indications of a characteristic.

    ``restored`` says that a bonded client came back, and did not write.
    """

    characteristic: "ServerCharacteristic"
    notify: bool
    indicate: bool
    restored: bool


@dataclass(frozen=True, slots=True)
class Unsubscribed(ClientEvent):
    """A client has disabled them, or is gone (``closed``)."""

    characteristic: "ServerCharacteristic"
    closed: bool


@dataclass(frozen=True, slots=True)
class Confirmed(ClientEvent):
    """A client has confirmed the indication of ``value``."""

    characteristic: "ServerCharacteristic"
    value: bytes


Event = TypeVar("Event", bound=ClientEvent)
Hook: TypeAlias = Callable[[Event], object]
"""A function or a coroutine function that takes the event; what it returns does not matter."""


class Hooks:
    """Who is called for what on one device. ``None`` stands for every characteristic of it.

    A function is called at once, before the response to what caused it is out; a coroutine
    function begins to run after that.
    """

    def __init__(self, device: "HasHooks") -> None:
        self._device = device
        self._hooks: dict[type[ClientEvent], list[tuple[ServerCharacteristic | None, Hook[Any]]]]
        self._hooks = {}

    def add(
        self,
        kind: type[Event],
        hook: Hook[Event],
        of: "ServerCharacteristic | None" = None,
    ) -> Hook[Event]:
        """Call ``hook`` for every event of that kind from now on; return it."""
        self._hooks.setdefault(kind, []).append((of, hook))
        if self._device.undo is not None:
            self._device.undo.append(lambda: self.remove(hook))
        return hook

    def remove(self, hook: Hook[Any]) -> None:
        """Call ``hook`` for nothing any more; harmless where it never was."""
        for hooks in self._hooks.values():
            hooks[:] = [one for one in hooks if one[1] != hook]

    def wants(self, kind: type[ClientEvent]) -> bool:
        """Whether anybody is called for events of that kind."""
        return bool(self._hooks.get(kind))

    def fire(
        self,
        kind: type[ClientEvent],
        client: str,
        *,
        of: "ServerCharacteristic | None" = None,
        **facts: Any,
    ) -> None:
        """Something happened: call whoever wants to know, in the order they were added."""
        hooks = [hook for about, hook in self._hooks.get(kind, ()) if about in (None, of)]
        if not hooks:
            return
        if of is not None:
            facts["characteristic"] = of
        event = kind(client, _hang_up=self._device.hang_up, **facts)
        for hook in hooks:
            try:
                answer = hook(event)
                if inspect.isawaitable(answer):
                    self._device.spawn(self._finish(hook, answer))
            except Exception as error:  # a hook's mistake ends the test, not the device
                self._device.failed(error, _name(hook))

    async def _finish(self, hook: Hook[Any], answer: Awaitable[object]) -> None:
        try:
            await answer
        except Exception as error:  # as above
            self._device.failed(error, _name(hook))


def _name(hook: Hook[Any]) -> str:
    return f"the hook {getattr(hook, '__name__', repr(hook))}"


class HasHooks(abc.ABC):
    """The part of an emulated device that calls its own code for what clients do.

    Each method takes a function or coroutine function of one argument, the event, and returns it,
    so that it decorates too. Those of a characteristic (subscriptions, confirmations) are for all
    of them here, and for one at the characteristic.
    """

    _hooks: Hooks | None = None
    undo: list[Callable[[], object]] | None
    _links: "dict[str, ClientLink]"

    @abc.abstractmethod
    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work of the device; it ends with the device, and what it raises ends the test."""

    @abc.abstractmethod
    def failed(self, error: BaseException, who: str) -> None:
        """Keep what the device's own code raised."""

    @abc.abstractmethod
    def hang_up(self, client: str, reason: int) -> None:
        """End the link with a client, if there is one."""

    @property
    def hooks(self) -> Hooks:
        """Who is called for what: ``hooks.remove(function)`` ends it."""
        if self._hooks is None:
            self._hooks = Hooks(self)
        return self._hooks

    def on_connect(self, hook: Hook[Connected]) -> Hook[Connected]:
        """Call ``hook`` when a client has connected, before it is served anything."""
        return self.hooks.add(Connected, hook)

    def on_disconnect(self, hook: Hook[Disconnected]) -> Hook[Disconnected]:
        """Call ``hook`` when a link has ended, whoever ended it."""
        return self.hooks.add(Disconnected, hook)

    def on_mtu(self, hook: Hook[MtuChanged]) -> Hook[MtuChanged]:
        """Call ``hook`` when a client has exchanged ATT_MTU."""
        return self.hooks.add(MtuChanged, hook)

    def on_pairing(self, hook: Hook[PairingEnded]) -> Hook[PairingEnded]:
        """Call ``hook`` when pairing with a client has gone well, or has failed."""
        for link in () if self.hooks.wants(PairingEnded) else self._links.values():
            self._watch_pairing(link)
        return self.hooks.add(PairingEnded, hook)

    def on_subscribe(self, hook: Hook[Subscribed]) -> Hook[Subscribed]:
        """Call ``hook`` when a client subscribes to any characteristic."""
        return self.hooks.add(Subscribed, hook)

    def on_unsubscribe(self, hook: Hook[Unsubscribed]) -> Hook[Unsubscribed]:
        """Call ``hook`` when a subscription ends, with its link too."""
        return self.hooks.add(Unsubscribed, hook)

    def on_confirmation(self, hook: Hook[Confirmed]) -> Hook[Confirmed]:
        """Call ``hook`` when a client confirms an indication."""
        return self.hooks.add(Confirmed, hook)

    def _watch_pairing(self, link: "ClientLink") -> None:
        """Tell of pairing on a link; listeners of the link itself come first."""

        def failed(reason: int) -> None:
            self.hooks.fire(PairingEnded, link.identity, reason=int(reason))

        def done() -> None:
            security = link.security
            self.hooks.fire(
                PairingEnded,
                link.identity,
                reason=None,
                authenticated=security.authenticated,
                secure_connections=security.secure_connections,
                key_size=security.key_size,
                bonded=security.bonded,
            )

        loop = asyncio.get_running_loop()
        link.connection.on("pairing", lambda _keys: loop.call_soon(done))
        link.connection.on("pairing_failure", failed)
