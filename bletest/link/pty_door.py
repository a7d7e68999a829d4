"""A pseudo-terminal that hosts open like a serial port, one after the other."""

import asyncio
import errno
import os
import pty
import tempfile
import tty
from collections.abc import Callable
from typing import Protocol

UNREAD = 1 << 22
"""Octets that may wait for a host to read them, before it is taken for dead."""

_CHUNK = 65536


class Visitor(Protocol):
    """Takes what one host sends."""

    def feed(self, data: bytes) -> None:
        """Take some octets."""

    def end(self, why: str) -> None:
        """Hang up on the host."""

    def leave(self) -> None:
        """The host has gone."""


Welcome = Callable[[Callable[[bytes], None], Callable[[], None], str], Visitor]


class PtyDoor:
    """A symbolic link to a pseudo-terminal; each host finds a fresh terminal there.

    A terminal does not tell that it was opened, only that it was closed. So a host has come when
    its first octets are here: ``welcome`` is called with the way to send octets to it, the way to
    hang up on it, and the name of its terminal. While it stays, the link leads to the terminal of
    the next one. Somebody who sends octets there meanwhile is hung up on, and ``refuse`` is
    called. The kernel delivers octets a little later: who opens the path while those of another
    are on their way has the same terminal.
    """

    def __init__(self, path: str, welcome: Welcome, refuse: Callable[[], None]) -> None:
        self._welcome = welcome
        self._refuse = refuse
        self._folder = None if path else tempfile.TemporaryDirectory(prefix="bletest-hci-")
        self.path = path or os.path.join(str(self._folder and self._folder.name), "hci")
        if os.path.exists(self.path) or (
            os.path.lexists(self.path) and not os.path.islink(self.path)
        ):
            # A link that leads nowhere was left by somebody who was killed.
            raise OSError(errno.EADDRINUSE, "the path is in use", self.path)
        self._guest: _Terminal | None = None
        self._next = self._put_up_terminal()

    def _put_up_terminal(self) -> "_Terminal":
        terminal = _Terminal(self._on_first_octets, self._on_closed)
        # In one step: a host that opens the path meanwhile finds the old terminal or the new.
        fresh = f"{self.path}.{os.getpid()}"
        os.symlink(terminal.name, fresh)
        os.replace(fresh, self.path)
        return terminal

    def close(self) -> None:
        """Hang up on the host and take the link away."""
        for terminal in (self._guest, self._next):
            if terminal is not None:
                terminal.close()
        if os.path.islink(self.path):
            os.unlink(self.path)
        if self._folder is not None:
            self._folder.cleanup()

    def _on_first_octets(self, terminal: "_Terminal") -> Visitor | None:
        """Let a host in, or return None to refuse it."""
        if self._guest is not None:
            # It may have gone before this one came, and that is only not read yet.
            self._guest.read()
        self._next = self._put_up_terminal()
        if self._guest is not None:
            self._refuse()
            return None
        self._guest = terminal
        return self._welcome(terminal.send, terminal.close, terminal.name)

    def _on_closed(self, terminal: "_Terminal") -> None:
        if self._guest is terminal:
            self._guest = None


class _Terminal:
    """One pseudo-terminal, for one host."""

    def __init__(
        self,
        on_first_octets: "Callable[[_Terminal], Visitor | None]",
        on_closed: "Callable[[_Terminal], None]",
    ) -> None:
        self._on_first_octets = on_first_octets
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._visitor: Visitor | None = None
        self._unsent = bytearray()
        # Until the host has come, its end is held open here: reading would end at once.
        self._primary, self._replica = pty.openpty()
        self.name = os.ttyname(self._replica)
        tty.setraw(self._replica)
        os.set_blocking(self._primary, False)
        self._loop.add_reader(self._primary, self.read)

    def close(self) -> None:
        """Hang up."""
        if self._primary == -1:
            return
        self._loop.remove_reader(self._primary)
        self._loop.remove_writer(self._primary)
        os.close(self._primary)
        self._primary = -1
        self._let_go()
        self._on_closed(self)
        if self._visitor is not None:
            self._visitor.leave()

    def _let_go(self) -> None:
        if self._replica != -1:
            os.close(self._replica)
            self._replica = -1

    def read(self) -> None:
        """Take what the host has sent, or that it has closed the terminal."""
        try:
            data = os.read(self._primary, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: the last one who had it open has closed it
        if data and self._visitor is None:
            self._visitor = self._on_first_octets(self)
            # From now on only the host holds the terminal, and its end is told by EIO.
            self._let_go()
        if data and self._visitor is not None:
            self._visitor.feed(data)
        else:
            self.close()

    def send(self, data: bytes) -> None:
        """Send octets to the host; they are lost if it has gone."""
        if self._primary == -1:
            return
        if not self._unsent:
            data = data[self._write(data) :]
            if not data:
                return
            self._loop.add_writer(self._primary, self._on_writable)
        self._unsent += data
        if len(self._unsent) > UNREAD and self._visitor is not None:
            self._visitor.end(f"it has left {UNREAD >> 20} MiB unread")

    def _on_writable(self) -> None:
        del self._unsent[: self._write(bytes(self._unsent[:_CHUNK]))]
        if not self._unsent:
            self._loop.remove_writer(self._primary)

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._primary, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # closed at the other end; reading tells that
