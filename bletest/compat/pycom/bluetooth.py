"""Pycom's ``Bluetooth``: one emulated device, driven by a script."""

import json
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from bletest import profile
from bletest.bench.settings import VIRTUAL
from bletest.compat.pycom.constants import Constants
from bletest.compat.pycom.encoding import advertising_of, octets_of, uuid_text
from bletest.compat.pycom.gatts import GATTSService, Value, call_handler
from bletest.errors import UsageMistake
from bletest.link.station import Station
from bletest.peripheral.hooks import Connected, Disconnected
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.spec import Profile
from bletest.standalone.engine import Engine
from bletest.standalone.radios import VARIABLE, named_radios, open_radio

T = TypeVar("T")

PATIENCE = 15.0
"""Seconds that a call may take."""

MTU = 200
"""ATT_MTU that the firmware offers."""

LONGEST = 512
"""Octets of a value."""

DEFAULT_NAME = "PYCOM"


class Bluetooth(Constants):
    """The radio of the board. ``Bluetooth(id=n)`` is the same object until :meth:`deinit`.

    ``id`` picks the n-th radio of ``BLETEST_ADAPTERS``, by default the air of this process. Other
    arguments of the firmware's are taken and do nothing. One client is served at a time;
    advertising begins again when it is gone. What changes in the database while a client is
    connected shows when it is gone, too.
    """

    _instances: ClassVar[dict[int, "Bluetooth"]] = {}

    def __new__(cls, id: int = 0, **_: Any) -> "Bluetooth":
        """Return the object with that id."""
        if id not in cls._instances:
            self = super().__new__(cls)
            self._set_up(id)
            cls._instances[id] = self
        return cls._instances[id]

    def _set_up(self, number: int) -> None:
        self.callbacks = Engine.shared().callbacks()
        self._engine = Engine.shared()
        self._number = number
        self._services: list[GATTSService] = []
        self._name: str | None = None
        self._manufacturer_data = self._service_data = b""
        self._service_uuid: str | None = None
        self._advertises = self._stale = False
        self._station: Station | None = None
        self._peripheral: VirtualPeripheral | None = None
        self._flags = 0
        self._trigger = 0
        self._handler: Callable[..., Any] | None = None
        self._argument: Any = None

    # What scripts use

    def init(self, *_: Any, **__: Any) -> None:
        """Switch the radio on; it is."""

    def deinit(self) -> None:
        """Switch the radio off: the device is gone, and the next ``Bluetooth()`` is a new one."""
        self._engine.call(self._shut_down(), within=PATIENCE)
        self.callbacks.close()
        self._instances.pop(self._number, None)

    def set_advertisement(
        self,
        *,
        name: str | None = None,
        manufacturer_data: Value | None = None,
        service_data: Value | None = None,
        service_uuid: Value | None = None,
    ) -> None:
        """Say what to advertise; raises ValueError for what does not fit."""
        self._name = name
        self._manufacturer_data = _given("manufacturer_data", manufacturer_data)
        self._service_data = _given("service_data", service_data)
        self._service_uuid = None if service_uuid is None else uuid_text(service_uuid)
        self.changed()

    def advertise(self, enable: bool) -> None:
        """Advertise from now on, or no more."""
        self._advertises = bool(enable)
        self.changed()

    def service(
        self, uuid: Value, *, isprimary: bool = True, nbr_chars: int = 1, start: bool = True
    ) -> GATTSService:
        """Add a service. ``nbr_chars`` need not be right: there is room for any number."""
        made = GATTSService(self, uuid_text(uuid), primary=isprimary, started=start)
        self._services.append(made)
        self.changed()
        return made

    def callback(
        self,
        trigger: int | None = None,
        handler: Callable[..., Any] | None = None,
        arg: Any = None,
    ) -> None:
        """Call ``handler`` when a client connects or disconnects, with ``arg`` or this object."""
        self._trigger = int(trigger or 0) if handler is not None else 0
        self._handler, self._argument = handler, arg

    def events(self) -> int:
        """Return the flags of what has happened since the last call, and clear them."""
        return self.run(self._take_events)

    def disconnect_client(self) -> None:
        """End the link with the client; harmless where there is none."""
        self.run(self._hang_up)

    # For tests and for whoever looks for the device

    @classmethod
    def instances(cls) -> "tuple[Bluetooth, ...]":
        """Return every radio that a script has asked for."""
        return tuple(cls._instances.values())

    @property
    def address(self) -> str:
        """Where clients find the device, an address of the type random; empty before it runs."""
        return self._station.address if self._station is not None else ""

    @property
    def peripheral(self) -> VirtualPeripheral | None:
        """The emulated device behind it, None while it does not advertise."""
        return self._peripheral

    # For services and characteristics

    def run(self, work: Callable[[], T]) -> T:
        """Do ``work`` in the loop's thread and return what it returns."""

        async def do() -> T:
            return work()

        return self._engine.call(do(), within=PATIENCE)

    def changed(self) -> None:
        """What the device is has changed; raises ValueError if it cannot be."""
        described = self._described()
        self._engine.call(self._apply(described), within=PATIENCE)

    # In the loop

    def _described(self) -> Profile:
        services = [one for one in self._services if one.started]
        secured = any(one.access for service in services for one in service.characteristics)
        document = {
            "bletest": 1,
            "name": "pycom",
            "device": {"name": self._name or DEFAULT_NAME, "mtu": MTU},
            "advertising": advertising_of(
                self._name, self._manufacturer_data, self._service_data, self._service_uuid
            ),
            "services": [
                {
                    "uuid": service.uuid,
                    "id": f"service{number}",
                    "primary": service.primary,
                    "characteristics": [
                        {
                            "uuid": one.uuid,
                            "id": f"service{number}_characteristic{index}",
                            "properties": one.properties,
                            "value": {"hex": (one.value() or b"").hex(" ")},
                            "length": {"min": 0, "max": LONGEST},
                            **one.access,
                        }
                        for index, one in enumerate(service.characteristics)
                    ],
                }
                for number, service in enumerate(services)
            ],
        }
        if secured:
            document["security"] = {"bonding": True, "io": "no_input_no_output"}
        try:
            return profile.loads(json.dumps(document), "<pycom>")
        except UsageMistake as mistake:
            raise ValueError(str(mistake)) from None

    async def _apply(self, described: Profile) -> None:
        self._stale = self._peripheral is not None and bool(self._peripheral.clients)
        if self._stale:
            return  # when the client is gone, it is applied anew
        await self._stop()
        if self._advertises:
            await self._start(described)

    async def _start(self, described: Profile) -> None:
        if self._station is None:
            names = named_radios()
            if self._number >= len(names):
                raise UsageMistake(
                    f"there is no radio {self._number}: {VARIABLE} names {len(names)}",
                    remedy=f"name more of them, or use {VIRTUAL}",
                )
            self._station = await open_radio(
                names[self._number], self._engine.air, name=f"pycom {self._number}"
            )
        peripheral = self._peripheral = VirtualPeripheral(described)
        peripheral.on_connect(self._on_connect)
        peripheral.on_disconnect(self._on_disconnect)
        for number, service in enumerate(one for one in self._services if one.started):
            for index, one in enumerate(service.characteristics):
                one.stand_behind(peripheral[f"service{number}_characteristic{index}"])
        await peripheral.start(self._station)

    async def _stop(self) -> None:
        peripheral, self._peripheral = self._peripheral, None
        if peripheral is not None:
            await peripheral.stop()
            for service in self._services:
                for one in service.characteristics:
                    one.step_back()

    async def _shut_down(self) -> None:
        await self._stop()
        station, self._station = self._station, None
        if station is not None:
            await station.close()

    def _take_events(self) -> int:
        flags, self._flags = self._flags, 0
        return flags

    def _hang_up(self) -> None:
        if self._peripheral is not None:
            for client in self._peripheral.clients:
                self._peripheral.hang_up(client, 0x13)

    def _on_connect(self, event: Connected) -> None:
        self._happened(self.CLIENT_CONNECTED)

    def _on_disconnect(self, event: Disconnected) -> None:
        if self._stale and self._peripheral is not None:
            # Nobody gets in before what has changed is there.
            self._peripheral.pause_advertising(PATIENCE)
            self.callbacks.call(self.changed)
        self._happened(self.CLIENT_DISCONNECTED)

    def _happened(self, event: int) -> None:
        self._flags |= event
        if self._trigger & event and self._handler is not None:
            about = self if self._argument is None else self._argument
            self.callbacks.call(call_handler, self._handler, about, (event, b""))


def _given(name: str, value: Value | None) -> bytes:
    return b"" if value is None else octets_of(name, value)
