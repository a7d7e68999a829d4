"""Enhanced ATT bearers: L2CAP channels in Enhanced Credit Based Flow Control Mode on SPSM 0x0027.

bumble's channel manager files the channels of a server by the wrong CID, checks neither security
nor parameters, and knows no reconfiguration. The one here is put into a device by :func:`offer`
and differs for this one SPSM; nothing of bumble itself is changed. Paragraphs are those of the
Core Specification, Vol 3, Part A.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from bumble import l2cap
from bumble.device import Connection, Device

EATT_SPSM = 0x0027
"""The SPSM of the Enhanced Attribute Protocol (Assigned Numbers, 2.5)."""

LEAST_MTU = 64
"""Octets that MTU and MPS of such a channel have at least (4.25; Part G, 5.3.1)."""

MOST_AT_ONCE = 5
"""Channels that one request may ask for (4.25)."""

CREDITS = 16
"""K-frames that a peer may send before it is given more."""

_MOST_CREDITS = 0xFFFF
"""K-frames that credits may stand for at a time (4.24)."""

_FIRST_CID, _LAST_CID = 0x0040, 0x007F

Result = l2cap.L2CAP_Credit_Based_Connection_Response.Result
Request = l2cap.L2CAP_Credit_Based_Connection_Request
Reconfigured = l2cap.L2CAP_Credit_Based_Reconfigure_Response.Result


class EnhancedChannel(l2cap.LeCreditBasedChannel):
    """One channel. Each :meth:`write` is one SDU, also where credits run out in between."""

    def __init__(self, manager: "ChannelManager", connection: Connection, *, cid: int) -> None:
        """``cid`` is ours; the peer's side is filled in by :meth:`take`."""
        size = manager.offer.mtu
        super().__init__(
            manager=manager,
            connection=connection,
            psm=EATT_SPSM,
            source_cid=cid,
            destination_cid=0,
            mtu=size,
            mps=size + 2,
            credits=0,
            peer_mtu=size,
            peer_mps=size + 2,
            peer_credits=CREDITS,
            connected=True,
        )
        self._sdus: deque[bytes] = deque()

    def take(self, request: Request, cid: int) -> None:
        """Take what the peer asked for, and its CID."""
        self.destination_cid = cid
        self.credits = request.initial_credits
        self.resize(request.mtu, request.mps)

    def resize(self, mtu: int, mps: int) -> None:
        """The peer takes SDUs of so many octets from now on, and K-frames of so many."""
        self.peer_mtu, self.peer_mps = mtu, mps
        self.on_att_mtu_update(min(self.mtu, mtu))

    def on_credits(self, credits: int) -> None:
        """Take credits; more than there can be close the channel (4.24)."""
        if self.state != self.State.CONNECTED or self.credits + credits <= _MOST_CREDITS:
            super().on_credits(credits)
        else:
            self.connection.cancel_on_disconnection(self.disconnect())

    def write(self, data: bytes) -> None:
        """Send one SDU, at once or when there are credits."""
        if self.state == self.State.CONNECTED:
            self._sdus.append(data)
            self.process_output()

    def process_output(self) -> None:
        """Send what the credits allow; bumble's own would make one SDU of several."""
        super().process_output()
        while self._sdus and self.out_sdu is None and not self.out_queue:
            self.out_queue.append(self._sdus.popleft())
            super().process_output()


class Offer:
    """What a device offers. ``mtu`` is the ATT_MTU in octets that its end of a channel takes.

    ``refuse(connection)`` returns the result that a request is refused with, None where the
    link may have bearers. ``on_channel`` is told of each new channel, before its peer is.
    """

    def __init__(
        self,
        mtu: int,
        refuse: Callable[[Connection], int | None],
        on_channel: Callable[[EnhancedChannel], None],
    ) -> None:
        self.mtu = max(LEAST_MTU, mtu)
        self.refuse = refuse
        self.on_channel = on_channel


def offer(device: Device, what: Offer | None) -> None:
    """Offer enhanced bearers on a device from now on, or with None no more."""
    manager = device.l2cap_channel_manager
    if not isinstance(manager, ChannelManager):
        if what is None:
            return
        successor = ChannelManager(manager.extended_features, manager.connectionless_mtu)
        successor.fixed_channels = manager.fixed_channels
        successor.servers = manager.servers
        successor.le_coc_servers = manager.le_coc_servers
        successor.host = manager.host
        device.l2cap_channel_manager = manager = successor
    manager.offered = what


class ChannelManager(l2cap.ChannelManager):
    """bumble's channel manager, with channels for enhanced ATT bearers."""

    offered: Offer | None = None

    @property
    def offer(self) -> Offer:
        """What is offered; there are channels only where something is."""
        assert self.offered is not None
        return self.offered

    def on_l2cap_credit_based_connection_request(
        self, connection: Connection, cid: int, request: Request
    ) -> None:
        """A peer asks for channels (4.25): all, some or none of them come to be."""
        if request.spsm != EATT_SPSM or self.offered is None:
            super().on_l2cap_credit_based_connection_request(connection, cid, request)
            return
        result = self._refusal(connection, request)
        cids = [0] * len(request.source_cid)
        if result is None:
            result, channels = self._open(connection, request)
            cids = [0 if one is None else one.source_cid for one in channels]
        response = l2cap.L2CAP_Credit_Based_Connection_Response(
            identifier=request.identifier,
            mtu=self.offer.mtu,
            mps=self.offer.mtu + 2,
            initial_credits=CREDITS,
            result=Result(result),
            destination_cid=cids,
        )
        self.send_control_frame(connection, cid, response)

    def _refusal(self, connection: Connection, request: Request) -> int | None:
        refused = self.offer.refuse(connection)
        if refused is not None:
            return refused
        sound = (
            1 <= len(request.source_cid) <= MOST_AT_ONCE
            and min(request.mtu, request.mps) >= LEAST_MTU
            and request.initial_credits > 0
        )
        return None if sound else Result.ALL_CONNECTIONS_REFUSED_INVALID_PARAMETERS

    def _open(
        self, connection: Connection, request: Request
    ) -> tuple[int, list[EnhancedChannel | None]]:
        result: int = Result.ALL_CONNECTIONS_SUCCESSFUL
        opened: list[EnhancedChannel | None] = []
        ours = self.channels.setdefault(connection.handle, {})
        for cid in request.source_cid:
            own = self.find_free_le_cid(ours)
            if not _FIRST_CID <= cid <= _LAST_CID:
                result = Result.SOME_CONNECTIONS_REFUSED_INVALID_SOURCE_CID
            elif self.find_le_coc_channel(connection.handle, cid) is not None:
                result = Result.SOME_CONNECTIONS_REFUSED_SOURCE_CID_ALREADY_ALLOCATED
            elif own is None:
                result = Result.SOME_CONNECTIONS_REFUSED_INSUFFICIENT_RESOURCES_AVAILABLE
            else:
                channel = EnhancedChannel(self, connection, cid=own)
                channel.take(request, cid)
                ours[own] = channel
                self.offer.on_channel(channel)
                opened.append(channel)
                continue
            opened.append(None)
        return result, opened

    def find_le_coc_channel(
        self, connection_handle: int, cid: int
    ) -> l2cap.LeCreditBasedChannel | None:
        """Return the channel whose end at the peer has that CID."""
        for channel in self.channels.get(connection_handle, {}).values():
            if isinstance(channel, EnhancedChannel) and channel.destination_cid == cid:
                return channel
        found = super().find_le_coc_channel(connection_handle, cid)
        return cast("l2cap.LeCreditBasedChannel | None", found)

    def on_l2cap_credit_based_reconfigure_request(
        self,
        connection: Connection,
        cid: int,
        request: l2cap.L2CAP_Credit_Based_Reconfigure_Request,
    ) -> None:
        """A peer changes what its ends of some channels take (4.27)."""
        channels = [
            self.find_le_coc_channel(connection.handle, one) for one in request.destination_cid
        ]
        result = _reconfigure(channels, request.mtu, request.mps)
        self.send_control_frame(
            connection,
            cid,
            l2cap.L2CAP_Credit_Based_Reconfigure_Response(
                identifier=request.identifier, result=result
            ),
        )


def _reconfigure(
    channels: Sequence[l2cap.LeCreditBasedChannel | None], mtu: int, mps: int
) -> Reconfigured:
    """Resize all the channels, or say why none is (4.28)."""
    known = [one for one in channels if isinstance(one, EnhancedChannel)]
    if len(known) != len(channels) or not channels:
        return Reconfigured.RECONFIGURATION_FAILED_ONE_OR_MORE_DESTINATION_CIDS_INVALID
    if min(mtu, mps) < LEAST_MTU or len(channels) > MOST_AT_ONCE:
        return Reconfigured.RECONFIGURATION_FAILED_OTHER_UNACCEPTABLE_PARAMETERS
    if any(mtu < one.peer_mtu for one in known):
        return Reconfigured.RECONFIGURATION_FAILED_REDUCTION_IN_SIZE_OF_MTU_NOT_ALLOWED
    if len(known) > 1 and any(mps < one.peer_mps for one in known):
        return Reconfigured.RECONFIGURATION_FAILED_REDUCTION_IN_SIZE_OF_MPS_NOT_ALLOWED_FOR_MORE_THAN_ONE_CHANNEL_AT_A_TIME  # noqa: E501
    for one in known:
        one.resize(mtu, mps)
    return Reconfigured.RECONFIGURATION_SUCCESSFUL
