"""A scanner made of bumble alone: it notes every advertising report as the controller gives it."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bumble import hci
from bumble.device import Device
from bumble.host import Host

from tests.support.raw_central import Air

ADV_IND, ADV_DIRECT_IND, ADV_SCAN_IND, ADV_NONCONN_IND, SCAN_RSP = range(5)


@dataclass(frozen=True)
class Report:
    """One advertising report: the PDU's type, the advertiser's address, the data, the moment."""

    kind: int
    address: str
    data: bytes
    at: float


def structures(data: bytes) -> list[tuple[int, bytes]]:
    """Take advertising data apart; every octet belongs to a structure (Part A, 1 of the CSS)."""
    found = []
    at = 0
    while at < len(data):
        length = data[at]
        if length == 0:
            assert not any(data[at:]), f"octets after the early end: {data.hex()}"
            break
        assert at + 1 + length <= len(data), f"a structure beyond the end: {data.hex()}"
        found.append((data[at + 1], data[at + 2 : at + 1 + length]))
        at += 1 + length
    return found


class RawScanner:
    """Scans while it is entered, actively or not."""

    def __init__(
        self, link: Air, *, active: bool = True, address: str = "F5:00:00:00:00:01"
    ) -> None:
        self._link: Any = link
        self._controller: Any = link.new_controller(f"scanner {address}")
        host = Host()
        host.set_packet_sink(self._controller)
        host.set_packet_source(self._controller)
        kind = hci.Address.RANDOM_DEVICE_ADDRESS
        self.device = Device(name="scanner", address=hci.Address(address, kind), host=host)
        self.reports: list[Report] = []
        self._active = active
        host.on("advertising_report", self._on_report)

    def _on_report(self, report: Any) -> None:
        self.reports.append(
            Report(
                int(report.event_type),
                report.address.to_string(False),
                bytes(report.data),
                asyncio.get_running_loop().time(),
            )
        )

    async def __aenter__(self) -> Self:
        await self.device.power_on()
        await self.device.start_scanning(
            legacy=True,
            active=self._active,
            own_address_type=hci.OwnAddressType.RANDOM,
            filter_duplicates=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.device.stop_scanning(legacy=True)
        self._link.remove_controller(self._controller)
