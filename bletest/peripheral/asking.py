"""What an emulated device asks of its clients: to connect, to encrypt, to change the link."""

import abc
import asyncio

from bumble import hci
from bumble.core import ConnectionParameterUpdateError

from bletest.errors import UsageMistake
from bletest.peripheral.links import ClientLink
from bletest.peripheral.presence import Presence

ANSWER_TIMEOUT = 30.0
"""Seconds to wait for a Connection Parameter Update Response: T_GAP(conn_param_timeout)."""


class AsksClients(abc.ABC):
    """The requests that a peripheral may make."""

    _presence: Presence

    @abc.abstractmethod
    def link_to(self, client: str) -> ClientLink | None:
        """Return the link with that client, by its address; None if it is not connected."""

    def advertise_to(self, client: str | None) -> None:
        """Advertise to one client alone from now on (directed connectable mode, Part C, 9.3.3).

        ``client`` is its random address, ``C0:…``. Nobody else can connect, and scanners that
        are not meant see nothing of the profile's advertising data. None is for everybody again.
        """
        kind = hci.Address.RANDOM_DEVICE_ADDRESS
        self._presence.aim_at(None if client is None else hci.Address(client, kind))

    def request_security(self, client: str) -> None:
        """Send a Security Request: the client is to pair, or to encrypt with its bond's key.

        Raises UsageMistake for a client that is not connected.
        """
        self._connected(client).connection.request_pairing()

    async def request_parameters(
        self,
        client: str,
        *,
        interval: tuple[float, float],
        latency: int = 0,
        supervision_timeout: float,
    ) -> bool:
        """Ask for other connection parameters over L2CAP (Vol 3, Part A, 4.20).

        ``interval`` are the least and the most seconds between two connection events,
        ``latency`` is in events, ``supervision_timeout`` in seconds. Return whether the client
        accepted within 30 s; raises UsageMistake for one that is not connected.
        """
        connection = self._connected(client).connection
        manager = connection.device.l2cap_channel_manager
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await connection.update_parameters(
                    interval[0] * 1000,
                    interval[1] * 1000,
                    latency,
                    supervision_timeout * 1000,
                    use_l2cap=True,
                )
        except (TimeoutError, ConnectionParameterUpdateError):
            return False
        finally:
            # bumble keeps the one that was never answered, and takes no other.
            manager.connection_parameters_update_response = None
        return True

    def _connected(self, client: str) -> ClientLink:
        link = self.link_to(client)
        if link is None:
            raise UsageMistake(
                f"{client} is not connected", remedy="wait for it with wait_connected()"
            )
        return link
