"""Services and characteristics of a Pycom, as its scripts see them."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from bletest.compat.pycom.constants import Constants
from bletest.compat.pycom.encoding import access_of, octets_of, properties_of, uuid_text
from bletest.peripheral.characteristic import ServerCharacteristic
from bletest.peripheral.hooks import Subscribed
from bletest.peripheral.requests import Request, encode_answer, encode_value

if TYPE_CHECKING:
    from bletest.compat.pycom.bluetooth import Bluetooth

Value = str | bytes | int

_READ, _WRITE = Constants.CHAR_READ_EVENT, Constants.CHAR_WRITE_EVENT
_NOTIFY, _SUBSCRIBE = Constants.CHAR_NOTIFY_EVENT, Constants.CHAR_SUBSCRIBE_EVENT

_DEFAULT_PROPERTIES = Constants.PROP_READ | Constants.PROP_WRITE | Constants.PROP_NOTIFY
_DEFAULT_PERMISSIONS = Constants.PERM_READ | Constants.PERM_WRITE


class GATTSService:
    """A service of the device; ``Bluetooth.service()`` makes it."""

    def __init__(self, bluetooth: "Bluetooth", uuid: str, *, primary: bool, started: bool) -> None:
        self.uuid = uuid
        self.primary = primary
        self.started = started
        self.characteristics: list[GATTSCharacteristic] = []
        self._bluetooth = bluetooth

    def characteristic(
        self,
        uuid: Value,
        *,
        permissions: int = _DEFAULT_PERMISSIONS,
        properties: int = _DEFAULT_PROPERTIES,
        value: Value = b"\x00",
    ) -> "GATTSCharacteristic":
        """Add a characteristic. An int as initial ``value`` is big-endian, in 1, 2 or 4 octets.

        Raises ValueError for a UUID, a value or bits that cannot be.
        """
        made = GATTSCharacteristic(
            self._bluetooth,
            uuid_text(uuid),
            properties=properties_of(properties),
            access=access_of(permissions),
            value=octets_of("value", value),
        )
        self.characteristics.append(made)
        self._bluetooth.changed()
        return made

    def start(self) -> None:
        """Have the service in the database."""
        self.started = True
        self._bluetooth.changed()

    def stop(self) -> None:
        """Take the service out of the database."""
        self.started = False
        self._bluetooth.changed()


class GATTSCharacteristic:
    """A characteristic of the device: its value, its callback, its events."""

    def __init__(
        self,
        bluetooth: "Bluetooth",
        uuid: str,
        *,
        properties: list[str],
        access: dict[str, str],
        value: bytes,
    ) -> None:
        self.uuid = uuid
        self.properties = properties
        self.access = access
        self._bluetooth = bluetooth
        self._value = value
        self._flags = 0
        self._trigger = 0
        self._handler: Callable[..., Any] | None = None
        self._argument: Any = None
        self._native: ServerCharacteristic | None = None

    # What scripts use

    def value(self, value: Value | None = None) -> bytes | None:
        """Return the value, always octets; with an argument store it, and send it to the client.

        An int is little-endian here, in 1, 2 or 4 octets. The client gets it if it has
        subscribed, as an indication where that is what it asked for. Raises ValueError for what
        no attribute can hold.
        """
        if value is None:
            return self._bluetooth.run(self._get)
        octets = encode_value(value)
        self._bluetooth.run(lambda: self._set(octets))
        return None

    def callback(
        self,
        trigger: int | None = None,
        handler: Callable[..., Any] | None = None,
        arg: Any = None,
    ) -> None:
        """Call ``handler`` for the events in ``trigger``; None ends it. There is one at a time.

        It is called with ``arg``, or with this characteristic where none is given, and where it
        takes a second argument, with ``(event, value)`` too. A read waits for it: what it returns
        answers this read alone, an int big-endian; None stands for the stored value. A write is
        stored and acknowledged before it is called.
        """
        self._trigger = int(trigger or 0) if handler is not None else 0
        self._handler, self._argument = handler, arg
        self._bluetooth.run(self._take_part)

    def events(self) -> int:
        """Return the flags of what has happened since the last call, and clear them."""
        return self._bluetooth.run(self._take_events)

    # In the loop

    def _get(self) -> bytes:
        return self._value if self._native is None else self._native.value()

    def _set(self, octets: bytes) -> None:
        if self._native is None:
            self._value = octets
        else:
            self._native.value(octets)

    def _take_events(self) -> int:
        flags, self._flags = self._flags, 0
        return flags | (int(self._native.events()) if self._native is not None else 0)

    def stand_behind(self, native: ServerCharacteristic) -> None:
        """The device runs, and this is its characteristic."""
        self._native = native
        native.on_subscribe(self._on_subscribe)
        self._take_part()

    def step_back(self) -> None:
        """The device runs no more: keep what it knew."""
        if self._native is not None:
            self._value = self._native.value()
            self._flags |= int(self._native.events())
            self._native = None

    def _take_part(self) -> None:
        if self._native is not None:
            self._native.on_read(self._on_read if self._trigger & _READ else None)
            self._native.on_write(self._on_write if self._trigger & _WRITE else None)
            told = self._trigger & _NOTIFY
            self._native.callback(told, self._on_notified if told else None)

    def _on_read(self, _: Request) -> Awaitable[bytes | None]:
        async def answer() -> bytes | None:
            returned = await self._bluetooth.callbacks.ask(self._call, _READ, self._get())
            return encode_answer(returned)

        return answer()

    def _on_write(self, request: Request) -> None:
        # Called once the value is stored, and the response out.
        asyncio.get_running_loop().call_soon(self._tell, _WRITE, request.value)

    def _on_notified(self, _: object) -> None:
        self._tell(_NOTIFY, self._get())

    def _on_subscribe(self, event: Subscribed) -> None:
        if event.restored:
            return
        if event.notify:
            event.characteristic.notify()  # the firmware does, before its response
        if self._trigger & _SUBSCRIBE:
            self._tell(_SUBSCRIBE, self._get())

    def _tell(self, event: int, value: bytes) -> None:
        if self._handler is not None:
            self._bluetooth.callbacks.call(self._call, event, value)

    # In the thread of callbacks

    def _call(self, event: int, value: bytes) -> Any:
        if self._handler is None:  # taken away meanwhile
            return None
        about = self if self._argument is None else self._argument
        return call_handler(self._handler, about, (event, value))


def call_handler(handler: Callable[..., Any], about: Any, data: object) -> Any:
    """Call a handler with what it is about, and with the data where it takes a second argument."""
    try:
        taken = [
            one
            for one in inspect.signature(handler).parameters.values()
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.VAR_POSITIONAL)
        ]
    except (TypeError, ValueError):  # a builtin says nothing of its arguments
        taken = []
    two = len(taken) > 1 or any(one.kind is one.VAR_POSITIONAL for one in taken)
    return handler(about, data) if two else handler(about)
