"""A door in the virtual air: one of its controllers, offered to a host in another process."""

import asyncio
import contextlib
import logging
import pathlib

from bumble import core
from bumble.transport import open_transport
from bumble.transport.common import PacketParser, TransportSink

from bletest.errors import BenchTrouble
from bletest.link.clock import real_time
from bletest.link.controller import VirtualController
from bletest.link.trouble import explain_open_failure
from bletest.link.virtual import VirtualLink

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"


class HciPort:
    """A controller on ``link``, reachable as H4 over ``transport`` while the context is open.

    ``transport`` is written as bumble writes it: ``tcp-server:127.0.0.1:9000`` (port 0 picks a
    free one, ``_`` is the loopback interface), ``unix-server:PATH``, ``pty:LINK``,
    ``tcp-client:…``, ``serial:…``. A server takes one host at a time and closes on a second.

    Each host that attaches finds a fresh controller with the same public address. When it goes,
    its controller falls silent like a device without power: advertising stops, and peers see
    their links end with reason 0x08 after their supervision timeout. While the port is open, a
    virtual clock follows the wall clock.
    """

    def __init__(
        self,
        link: VirtualLink,
        transport: str,
        *,
        name: str = "hci-port",
        public_address: str | None = None,
    ) -> None:
        self.link = link
        self.transport = transport
        self.name = name
        self.public_address = public_address or link.new_public_address()
        self._attached: _Attachment | None = None
        self._resources = contextlib.AsyncExitStack()

    @property
    def controller(self) -> VirtualController | None:
        """The controller of the host that is attached, None while nobody is."""
        return self._attached.controller if self._attached is not None else None

    async def __aenter__(self) -> "HciPort":
        """Open the port; raises :class:`~bletest.errors.BenchTrouble` if it cannot be."""
        async with contextlib.AsyncExitStack() as resources:
            resources.enter_context(real_time(asyncio.get_running_loop()))
            resources.push_async_callback(self._hang_up)
            scheme, _, place = self.transport.partition(":")
            try:
                if scheme in ("tcp-server", "unix-server"):
                    server = await self._serve(scheme, place, resources)
                    resources.callback(server.close)
                else:
                    source_and_sink = await open_transport(self.transport)
                    resources.push_async_callback(source_and_sink.close)
                    attachment = self._attach(source_and_sink.sink)
                    source_and_sink.source.set_packet_sink(attachment)
            except Exception as error:
                # Transports raise what bumble, pyserial or the system has for them.
                trouble = explain_open_failure(self.transport, error)
                raise BenchTrouble(trouble.message, remedy=trouble.remedy) from error
            self._resources = resources.pop_all()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Close the port; a host that is attached is cut off."""
        await self._resources.aclose()

    async def _serve(
        self, scheme: str, place: str, resources: contextlib.AsyncExitStack
    ) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if scheme == "unix-server":
            # bumble spells an abstract socket with an at sign.
            path = "\0" + place[1:] if place.startswith("@") else place
            unix_server = await loop.create_unix_server(lambda: _Client(self), path)
            resources.callback(_remove_socket, path)
            return unix_server
        host, _, port = place.rpartition(":")
        address = LOOPBACK if host in ("_", "") else host
        server = await loop.create_server(lambda: _Client(self), address, int(port))
        self.transport = f"tcp-server:{address}:{server.sockets[0].getsockname()[1]}"
        return server

    def _attach(self, sink: TransportSink) -> "_Attachment":
        controller = self.link.new_controller(self.name, self.public_address)
        controller.set_packet_sink(sink)
        self._attached = _Attachment(self, controller)
        return self._attached

    def _detach(self, attachment: "_Attachment") -> None:
        if self._attached is attachment:
            self._attached = None
            self.link.remove_controller(attachment.controller)

    async def _hang_up(self) -> None:
        if self._attached is not None:
            sink = self._attached.controller.hci_sink
            self._detach(self._attached)
            if isinstance(sink, _Client):
                sink.hang_up()
                # The socket is closed in the next turn of the loop.
                await asyncio.sleep(0)


class _Attachment:
    """Takes what one host sends, until that host goes."""

    def __init__(self, port: HciPort, controller: VirtualController) -> None:
        self.controller = controller
        self._port = port

    def on_packet(self, packet: bytes) -> None:
        self.controller.on_packet(packet)

    def on_transport_lost(self) -> None:
        self._port._detach(self)


class _Client(asyncio.Protocol):
    """One host on a stream socket, and the H4 framing of what it sends."""

    def __init__(self, port: HciPort) -> None:
        self._port = port
        self._transport: asyncio.WriteTransport | None = None
        self._attachment: _Attachment | None = None
        self._parser = PacketParser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        if self._port._attached is not None:
            logger.warning("%s has a host already: refused another", self._port.transport)
            transport.close()
            return
        self._transport = transport
        self._attachment = self._port._attach(self)
        self._parser.set_packet_sink(self._attachment)

    def on_packet(self, packet: bytes) -> None:
        """Send one packet from the controller to the host."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(packet)

    def data_received(self, data: bytes) -> None:
        if self._attachment is None:
            return
        try:
            self._parser.feed_data(data)
        except core.InvalidPacketError as error:
            # H4 has no way to find the next packet; a host has to start again.
            logger.warning("%s: the host lost H4 framing: %s", self._port.transport, error)
            self.hang_up()

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def eof_received(self) -> None:
        # Already here, not in connection_lost: the next host may be at the door.
        self._leave()

    def connection_lost(self, _error: Exception | None) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._attachment is not None:
            self._attachment.on_transport_lost()
            self._attachment = None


def _remove_socket(path: str) -> None:
    # From 3.13 on asyncio removes it itself; an abstract one has no file.
    if not path.startswith("\0"):
        pathlib.Path(path).unlink(missing_ok=True)
