"""The enhanced ATT bearers of an emulated device: one ATT server bearer a channel."""

import asyncio
from collections.abc import Callable
from functools import partial

from bumble.device import Connection
from bumble.l2cap import L2CAP_Credit_Based_Connection_Response

from bletest.att.server import Server
from bletest.link.enhanced import EnhancedChannel, Offer
from bletest.peripheral.links import ClientLink

Result = L2CAP_Credit_Based_Connection_Response.Result


def enhanced_bearers(
    server: Server, mtu: int, link_of: Callable[[int], ClientLink | None]
) -> Offer:
    """Return what a device offers: bearers on every link that is encrypted."""

    def refuse(connection: Connection) -> int | None:
        link = link_of(connection.handle)
        if link is None:
            return Result.ALL_CONNECTIONS_REFUSED_INSUFFICIENT_AUTHENTICATION
        if link.security.encrypted:
            return None
        # As of an ATT request (Vol 3, Part C, 10.3.1): is there a key that only has to be used?
        if link.security.bonded:
            return Result.ALL_CONNECTIONS_REFUSED_INSUFFICIENT_ENCRYPTION
        return Result.ALL_CONNECTIONS_REFUSED_INSUFFICIENT_AUTHENTICATION

    def on_channel(channel: EnhancedChannel) -> None:
        link = link_of(channel.connection.handle)
        assert link is not None  # or it was refused
        bearer = server.connect(
            link.bearer.identity, link.security, mtu=channel.att_mtu, enhanced=True
        )

        def receive(pdu: bytes) -> None:
            response = bearer.receive(pdu, asyncio.get_running_loop().time())
            if response is not None:
                channel.write(response)

        def resize(mtu: int) -> None:
            bearer.mtu = mtu

        link.enhanced[bearer] = channel.write
        channel.sink = receive
        channel.on(channel.EVENT_ATT_MTU_UPDATE, resize)
        channel.on(channel.EVENT_CLOSE, partial(link.close_enhanced, bearer))

    return Offer(mtu, refuse, on_channel)
