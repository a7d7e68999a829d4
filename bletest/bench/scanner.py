"""The client's radio as tests use it to look around."""

from bleak import BleakScanner

from bletest.client.adapter import BumbleAdapter
from bletest.client.backend import BumbleScanner
from bletest.client.scan import Found, find, scan
from bletest.contracts.advertisements import Advertisement
from bletest.uuids import Uuid


class Scanner:
    """Scans on one adapter.

    ``backend`` goes into any of bleak's own calls:
    ``BleakScanner.discover(backend=ble_scanner.backend)``.
    """

    def __init__(self, adapter: BumbleAdapter) -> None:
        self._adapter = adapter
        self.backend = BumbleScanner.on(adapter)

    async def scan(self, *, within: float) -> list[Advertisement]:
        """Scan for ``within`` seconds; return every device in order of first sight."""
        return await scan(self._adapter, within=within)

    async def find(
        self,
        *,
        name: str | None = None,
        address: str | None = None,
        service: Uuid | str | None = None,
        within: float = 10.0,
    ) -> Found:
        """Scan until a device fits all that is asked for; raises DeviceNotFound."""
        return await find(self._adapter, name=name, address=address, service=service, within=within)

    def bleak(self) -> BleakScanner:
        """Return bleak's own scanner on this radio, not started."""
        return BleakScanner(backend=self.backend)
