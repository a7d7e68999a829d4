"""Discovery and bonding in pybtle's manner: the Generic Access Profile."""

from collections.abc import Callable
from typing import Any

from bletest.client.scan import find
from bletest.compat.pybtle.cmd import cmd as Cmd
from bletest.compat.pybtle.cmd import entry_of
from bletest.compat.pybtle.gattc import address_of
from bletest.compat.pybtle.results import Result, answers, ok, seconds


class gap:
    """What the Generic Access Profile does before and beside a connection."""

    def __init__(self, cmd: Cmd) -> None:
        self._cmd = cmd

    def scan_start(
        self, devId: int = 0, found_cb: Callable[[dict[str, Any]], object] | None = None
    ) -> Result:
        """Scan from now on, as :meth:`cmd.scan_start` does."""
        return self._cmd.scan_start(devId, found_cb)

    def scan_stop(self, devId: int = 0) -> Result:
        """Stop scanning, as :meth:`cmd.scan_stop` does."""
        return self._cmd.scan_stop(devId)

    @answers
    def find(self, devId: int = 0, name: str = "", timeout: float = 10.0) -> Result:
        """Scan until a device of that name is seen; ``value`` has its ``addr``, ``addrtype``, …"""
        adapter = self._cmd.adapter(devId)
        looking = find(adapter, name=name, within=seconds("timeout", timeout))
        found = self._cmd.engine.call(looking, within=timeout + self._cmd.timeout)
        seen = found.advertisement
        return ok({**entry_of(found.device.details), "name": seen.name, "rssi": seen.rssi})

    @answers
    def unpair(self, devId: int, addr: str) -> Result:
        """Forget the keys of a device; an encrypted link with it ends."""
        adapter = self._cmd.adapter(devId)
        self._cmd.engine.call(adapter.unpair(address_of(addr)), within=self._cmd.timeout)
        return ok()
