"""The adapters that clients share, and scanning with them."""

from collections.abc import Callable, Sequence
from typing import Any, Self

from bletest.client.adapter import BumbleAdapter
from bletest.client.advertising import Sighting
from bletest.compat.pybtle.results import Result, answers, function, ok, seconds, whole_number
from bletest.errors import BletestError, UsageMistake
from bletest.standalone.engine import Callbacks, Engine
from bletest.standalone.radios import Radios, check_radios, named_radios

OPENING = 10.0
"""Seconds that opening an adapter may take, and ending a call to one that is stuck."""

PATIENCE = 30.0
"""Seconds that a call may take."""


class cmd:
    """The adapters of this process, opened: what several clients share.

    ``adapters`` are names of radios: ``virtual`` (the air of this process) or bumble transports;
    None takes those of the environment variable ``BLETEST_ADAPTERS``, or ``virtual`` where it is
    not set. The n-th has the index (``devId``) n. One that cannot be opened says why in the
    result of each call that would use it. ``timeout`` is what any call may take, in seconds.
    """

    def __init__(self, adapters: Sequence[str] | None = None, *, timeout: float = PATIENCE) -> None:
        self.engine = Engine.shared()
        self.timeout = seconds("timeout", timeout)
        self.radios = Radios()
        self._trouble: BletestError | None = None
        self._scans: dict[int, _Scan] = {}
        try:
            names = named_radios() if adapters is None else check_radios("adapters", adapters)
            opening = OPENING * max(1, len(names))
            self.engine.call(self.radios.open(names, self.engine.air), within=opening)
        except (BletestError, TimeoutError) as trouble:
            late = "the adapters could not be opened in time"
            self._trouble = trouble if isinstance(trouble, BletestError) else UsageMistake(late)

    @classmethod
    def on(cls, adapter: BumbleAdapter, engine: Engine, *, timeout: float = PATIENCE) -> Self:
        """Return one with an adapter that is open already, on the loop of ``engine``."""
        self = cls.__new__(cls)
        self.engine = engine
        self.timeout = timeout
        self.radios = Radios()
        self.radios.take(adapter)
        self._trouble = None
        self._scans = {}
        return self

    def adapter(self, dev_id: object) -> BumbleAdapter:
        """Return the adapter with that index; raises why it cannot be used."""
        if self._trouble is not None:
            raise self._trouble.with_traceback(None)
        adapter = self.radios[whole_number("devId", dev_id)]
        adapter.check()
        return adapter

    @answers
    def scan_start(
        self, devId: int = 0, found_cb: Callable[[dict[str, Any]], object] | None = None
    ) -> Result:
        """Scan from now on; ``found_cb`` gets one dict for each report that says something new.

        Its keys: ``addr``, ``addrtype`` (``"public"`` or ``"random"``), ``name``, ``rssi`` (dBm),
        ``uuids``, ``connectable``.
        """
        adapter = self.adapter(devId)
        if devId in self._scans:
            raise UsageMistake(f"adapter {devId} is scanning already", remedy="stop it first")
        callback = None if found_cb is None else function("found_cb", found_cb)
        scan = _Scan(callback, self.engine.callbacks())
        self.engine.call(adapter.start_scanning(scan.hear), within=self.timeout)
        self._scans[devId] = scan
        return ok()

    @answers
    def scan_stop(self, devId: int = 0) -> Result:
        """Stop scanning; ``value`` lists what was seen, in order of first sight."""
        adapter = self.adapter(devId)
        scan = self._scans.pop(devId, None)
        if scan is None:
            raise UsageMistake(f"adapter {devId} is not scanning")
        self.engine.call(adapter.stop_scanning(scan.hear), within=self.timeout)
        scan.callbacks.close()
        return ok(scan.found())

    @answers
    def close(self) -> Result:
        """End every link and let go of the adapters; a program that ends need not."""
        self.engine.call(self.radios.close(), within=OPENING)
        return ok()


class _Scan:
    """What one scan has seen."""

    def __init__(self, callback: Callable[..., object] | None, callbacks: Callbacks) -> None:
        self.callbacks = callbacks
        self._callback = callback
        self._seen: dict[str, dict[str, Any]] = {}

    def hear(self, sighting: Sighting) -> None:
        """Take one report, in the loop's thread."""
        entry = entry_of(sighting)
        known, self._seen[sighting.address] = self._seen.get(sighting.address), entry
        new = known is None or {**known, "rssi": None} != {**entry, "rssi": None}
        if new and self._callback is not None:
            self.callbacks.call(self._callback, entry)

    def found(self) -> list[dict[str, Any]]:
        """Return the last of each device."""
        return list(self._seen.values())


def entry_of(sighting: Sighting) -> dict[str, Any]:
    """Return what a scan tells of one device."""
    fields = sighting.fields
    return {
        "addr": sighting.address,
        "addrtype": "random" if sighting.is_random else "public",
        "name": fields.name,
        "rssi": sighting.rssi,
        "uuids": [str(uuid) for uuid in fields.services],
        "connectable": sighting.connectable,
    }
