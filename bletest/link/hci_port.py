"""A door in the virtual air: one of its controllers, offered to a host in another process."""

import asyncio
import contextlib
import errno
import logging
import os
import pathlib
import socket
from collections.abc import Callable

from bumble.transport import open_transport

from bletest.errors import BenchTrouble
from bletest.link.clock import real_time
from bletest.link.controller import VirtualController
from bletest.link.h4 import Framer, MalformedH4
from bletest.link.port_spec import PortSpec, parse_port
from bletest.link.pty_door import UNREAD, PtyDoor
from bletest.link.trouble import explain_open_failure
from bletest.link.virtual import VirtualLink

logger = logging.getLogger(__name__)

_OTHER_END = {"tcp-server": "tcp-client", "unix-server": "unix-client", "pty": "serial"}
_RESET = bytes.fromhex("01 03 0c 00")


class HciPort:
    """A controller on ``link``, reachable as H4 over ``transport`` while the context is open.

    ``transport`` is written as :func:`~bletest.link.port_spec.parse_port` reads it:
    ``tcp-server:127.0.0.1:9000`` (port 0 picks a free one, without a host it is the loopback
    interface), ``unix-server:PATH``, ``pty:PATH`` (a symbolic link; without a path one is made
    up), ``serial:…``, ``tcp-client:…``, each with ``,buffers=27``, ``,address=02:…`` or
    ``,advertising=extended`` behind it where the controller has to be a special one.

    A port serves one host at a time and hangs up on a second. Each host finds a fresh
    controller with the same public address. Malformed octets end its stay: H4 has no way to find
    the next packet. When it goes, its controller falls silent like a device without power:
    advertising stops, and peers see their links end with reason 0x08 after their supervision
    timeout. While the port is open, a virtual clock follows the wall clock.

    ``say`` gets a line for people about each host that comes or goes, or is refused or hung up
    on and why; without it the lines are logged.
    """

    def __init__(
        self,
        link: VirtualLink,
        transport: str | PortSpec,
        *,
        name: str = "hci-port",
        public_address: str | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.link = link
        self._given = transport
        self.transport = transport if isinstance(transport, str) else transport.transport
        self.name = name
        self._public_address = public_address
        self._say = say
        self._spec: PortSpec | None = None
        self._attached: Attachment | None = None
        self._resources = contextlib.AsyncExitStack()

    @property
    def controller(self) -> VirtualController | None:
        """The controller of the host that is attached, None while nobody is."""
        return self._attached.controller if self._attached is not None else None

    @property
    def place(self) -> str:
        """What a host opens: ``127.0.0.1:9000``, or a path."""
        return self.transport.partition(":")[2]

    @property
    def other_end(self) -> str:
        """The port as bumble writes it on the side of the host: ``tcp-client:127.0.0.1:9000``."""
        scheme = self.transport.partition(":")[0]
        return f"{_OTHER_END.get(scheme, scheme)}:{self.place}"

    @property
    def public_address(self) -> str:
        """The public address of whoever is attached."""
        if self._public_address is None:
            self._public_address = self.link.new_public_address()
        return self._public_address

    async def __aenter__(self) -> "HciPort":
        """Open the port; raises BenchTrouble if it cannot be, UsageMistake if it is none."""
        spec = self._given
        self._spec = spec = parse_port("HCI port", spec) if isinstance(spec, str) else spec
        self._public_address = spec.public_address or self.public_address
        async with contextlib.AsyncExitStack() as resources:
            resources.enter_context(real_time(asyncio.get_running_loop()))
            resources.push_async_callback(self.hang_up)
            try:
                await self._open(spec, resources)
            except Exception as error:
                # Transports raise what bumble, pyserial or the system has for them.
                trouble = explain_open_failure(spec.transport, error)
                raise BenchTrouble(trouble.message, remedy=trouble.remedy) from error
            self._resources = resources.pop_all()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Close the port; a host that is attached is cut off."""
        await self._resources.aclose()

    async def _open(self, spec: PortSpec, resources: contextlib.AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        self.transport = spec.transport
        if spec.scheme == "tcp-server":
            host, _, number = spec.place.rpartition(":")
            server = await loop.create_server(
                lambda: _Client(self), host.strip("[]"), int(number), family=_family(host)
            )
            resources.callback(server.close)
            self.transport = f"tcp-server:{host}:{server.sockets[0].getsockname()[1]}"
        elif spec.scheme == "unix-server":
            # bumble spells an abstract socket with an at sign.
            path = "\0" + spec.place[1:] if spec.place.startswith("@") else spec.place
            _refuse_if_served(path)
            unix_server = await loop.create_unix_server(lambda: _Client(self), path)
            resources.callback(_remove_socket, path)
            resources.callback(unix_server.close)
        elif spec.scheme == "pty":
            door = PtyDoor(spec.place, self.welcome, self.refuse)
            resources.callback(door.close)
            self.transport = f"pty:{door.path}"
        else:
            opened = await open_transport(spec.transport)
            resources.push_async_callback(opened.close)
            wire = _Wire(self, opened.sink.on_packet)
            opened.source.set_packet_sink(wire)
            opened.source.parser = wire  # type: ignore[attr-defined]
            resources.callback(wire.close)

    def tell(self, text: str, *, level: int = logging.INFO) -> None:
        """Say one line about this port to who wanted to know, or log it."""
        if self._say is not None:
            self._say(f"{self.transport}: {text}")
        else:
            logger.log(level, "%s: %s", self.transport, text)

    def welcome(
        self, send: Callable[[bytes], None], hang_up: Callable[[], None], who: str
    ) -> "Attachment":
        """Put the controller of a host that has come on the air."""
        assert self._spec is not None
        controller = self.link.new_controller(
            self.name, self.public_address, extended=self._spec.extended
        )
        controller.acl_data_packet_length = self._spec.buffers
        controller.le_acl_data_packet_length = self._spec.buffers
        self._attached = Attachment(self, controller, send, hang_up)
        self.tell(f"a host is attached ({who})" if who else "a host is attached")
        return self._attached

    def refuse(self) -> None:
        """Say that somebody came while a host is attached."""
        self.tell("refused a second host", level=logging.WARNING)

    def detach(self, attachment: "Attachment", why: str = "") -> None:
        """Take the controller of a host off the air that has gone, or was hung up on."""
        if self._attached is attachment:
            self._attached = None
            self.link.remove_controller(attachment.controller)
            if why:
                self.tell(f"hung up on the host: {why}", level=logging.WARNING)
            else:
                self.tell("the host has gone")

    async def hang_up(self) -> None:
        """Cut off the host, if there is one. The port stays open for the next."""
        if (attachment := self._attached) is not None:
            self.detach(attachment)
            attachment.hang_up()
            # The socket is closed in the next turn of the loop.
            await asyncio.sleep(0)


class Attachment:
    """One host, from its coming until it goes: what it sends, and the controller it talks to."""

    def __init__(
        self,
        port: HciPort,
        controller: VirtualController,
        send: Callable[[bytes], None],
        hang_up: Callable[[], None],
    ) -> None:
        self.controller = controller
        self.hang_up = hang_up
        self._port = port
        self._send = send
        self._framer = Framer(controller.le_acl_data_packet_length)
        self.gone = False
        controller.set_packet_sink(self)

    def on_packet(self, packet: bytes) -> None:
        """Send one packet from the controller to the host."""
        self._send(packet)

    def feed(self, data: bytes) -> None:
        """Take octets from the host. Nothing that it sends raises."""
        if self.gone:
            return
        try:
            for packet in self._framer.feed(data):
                self.controller.on_packet(packet)
                if self.gone:
                    return
        except MalformedH4 as error:
            self.end(f"malformed H4, {error}")

    def end(self, why: str) -> None:
        """Hang up on the host."""
        if not self.gone:
            self.gone = True
            self._port.detach(self, why)
            self.hang_up()

    def leave(self) -> None:
        """The host has gone."""
        self.gone = True
        self._port.detach(self)


class _Wire:
    """A transport of bumble to the one host there is; stands where its parser and sink are.

    Nobody can hang up on a wire. After malformed octets the host is heard again from its next
    reset on.
    """

    def __init__(self, port: HciPort, send: Callable[[bytes], None]) -> None:
        self._port = port
        self._send = send
        self._attachment: Attachment | None = None
        self._open = True

    def close(self) -> None:
        self._open = False

    def feed_data(self, data: bytes) -> None:
        if self._attachment is not None and self._attachment.gone:
            start = data.find(_RESET)
            if start < 0:
                return
            data, self._attachment = data[start:], None
        if self._attachment is None:
            self._attachment = self._port.welcome(self._send, lambda: None, "")
        self._attachment.feed(data)

    def on_packet(self, packet: bytes) -> None:
        """Take a packet that bumble has cut out, which it never does."""

    def on_transport_lost(self) -> None:
        if self._open:
            self._port.tell("the transport has ended", level=logging.WARNING)
        if self._attachment is not None:
            self._attachment.leave()


class _Client(asyncio.Protocol):
    """One host on a stream socket."""

    def __init__(self, port: HciPort) -> None:
        self._port = port
        self._attachment: Attachment | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        if self._port.controller is not None:
            self._port.refuse()
            transport.close()
            return

        def send(packet: bytes) -> None:
            if not transport.is_closing():
                transport.write(packet)
                if transport.get_write_buffer_size() > UNREAD and self._attachment is not None:
                    self._attachment.end(f"it has left {UNREAD >> 20} MiB unread")
                    transport.abort()

        who = transport.get_extra_info("peername")
        name = f"{who[0]}:{who[1]}" if isinstance(who, tuple) else ""
        self._attachment = self._port.welcome(send, transport.close, name)

    def data_received(self, data: bytes) -> None:
        if self._attachment is not None:
            self._attachment.feed(data)

    def eof_received(self) -> None:
        # Already here, not in connection_lost: the next host may be at the door.
        self._leave()

    def connection_lost(self, _error: Exception | None) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._attachment is not None:
            self._attachment.leave()
            self._attachment = None


def _family(host: str) -> socket.AddressFamily:
    # One socket, so that port 0 means one port number.
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _refuse_if_served(path: str) -> None:
    """Raise OSError if somebody listens at ``path``: asyncio would take it from them."""
    if path.startswith("\0") or not os.path.exists(path):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise OSError(errno.EADDRINUSE, "the socket is in use", path)


def _remove_socket(path: str) -> None:
    # From 3.13 on asyncio removes it itself; an abstract one has no file.
    if not path.startswith("\0"):
        pathlib.Path(path).unlink(missing_ok=True)
