"""Taps between hosts and their controllers, and the capture files that they fill.

A tap belongs to one host for as long as its station lives; captures come and go with tests. What
a capture would miss because it was said before the capture began (the controller's set-up, the
host's address, connections that are up) stands at the beginning of its file, with the time of
that beginning, so that each file can be read on its own.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bletest.errors import BenchTrouble
from bletest.evidence.btsnoop import (
    COMMAND,
    EVENT,
    VIRTUAL_EPOCH,
    CaptureFile,
    pack,
    pack_acl,
)
from bletest.link.clock import VirtualClockLoop

SUFFIX = ".btsnoop"

DEFAULT_LENGTH = 251
"""Octets of data in an ACL data packet, until the controller has said how many it takes."""

# Opcodes and event codes that a capture which begins later has to begin with.
_RESET = b"\x03\x0c"
_SET_RANDOM_ADDRESS = b"\x05\x20"
_DISCONNECTION_COMPLETE = 0x05
_LE_META = 0x3E
_CONNECTION_COMPLETE = frozenset((0x01, 0x0A, 0x29))  # plain, enhanced, enhanced of version 2

# Packet boundary flags in bits 12 and 13 beside the handle (Vol 4, Part E, 5.4.2).
_FIRST_SENT, _FIRST_RECEIVED, _CONTINUING = 0x0000, 0x2000, 0x1000


class Capture:
    """The capture files of one test: one for each host that had something to say.

    ``folder`` is made when the first of them is. On a virtual clock, times count from
    :data:`~bletest.evidence.btsnoop.VIRTUAL_EPOCH` at the moment at which the capture began, so
    that a test gives the same octets wherever in a run it stands; else they are the wall's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trouble: OSError | None = None
        self.now = _clock()
        """Tells the time in microseconds since 1970."""
        self._began = self.now()
        self._files: dict[str, CaptureFile] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order in which they came."""
        return tuple(file.path for file in self._files.values())

    @property
    def trouble(self) -> OSError | None:
        """What went wrong first while files were made or written, None if nothing did."""
        troubles = (file.trouble for file in self._files.values())
        return self._trouble or next(filter(None, troubles), None)

    def open(self, name: str, before: Iterable[tuple[bool, bytes]]) -> CaptureFile | None:
        """Make a file that begins with what was said ``before``; None where it cannot be made."""
        unique, number = name, 1
        while unique in self._files:
            number += 1
            unique = f"{name}-{number}"
        try:
            file = CaptureFile(self.folder / f"{unique}{SUFFIX}")
        except OSError as trouble:
            self._trouble = self._trouble or trouble
            return None
        self._files[unique] = file
        for sent, packet in before:
            file.write(pack(self._began, sent, packet))
        return file

    def check(self) -> None:
        """Raise :class:`~bletest.errors.BenchTrouble` if a file could not be made or written."""
        if self.trouble is not None:
            raise BenchTrouble(
                f"the capture in {self.folder} cannot be written: {self.trouble}",
                remedy="name a folder with room that you may write to (--ble-output)",
            ) from self.trouble

    def close(self) -> None:
        """Close all files; what is still said is not written."""
        for file in self._files.values():
            file.close()

    def discard(self) -> None:
        """Remove the files, and their folder if it holds nothing else."""
        self.close()
        for path in self.paths:
            path.unlink(missing_ok=True)
        if self._files:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


class Recorder:
    """Makes the taps of one run, and says which capture they write to."""

    def __init__(self) -> None:
        self.capture: Capture | None = None
        """Where everything is written at present, None for nowhere."""

    def tap(self, name: str) -> "Tap":
        """Return a tap for one host; ``name`` becomes the name of its files."""
        return Tap(self, name)

    @contextlib.contextmanager
    def into(self, folder: Path) -> Iterator[Capture]:
        """Capture to files in ``folder`` for the length of a block; they are closed after it."""
        outer, self.capture = self.capture, Capture(folder)
        try:
            yield self.capture
        finally:
            self.capture.close()
            self.capture = outer


class Tap:
    """Sees what one host and its controller say to each other, and writes it where a capture is.

    Packets begin with the packet type of H4. Without a capture a packet is remembered if later
    captures have to begin with it, and else forgotten.
    """

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name
        self._capture: Capture | None = None
        self._file: CaptureFile | None = None
        self._acl_length = DEFAULT_LENGTH
        self._setting_up = True
        self._before: dict[object, tuple[bool, bytes]] = {}

    def sent(self, packet: bytes) -> None:
        """Note one HCI packet from the host."""
        capture = self._recorder.capture
        if capture is not None:
            self._write(capture, pack(capture.now(), True, packet))
        if packet[0] == COMMAND:
            self._remember_command(packet)

    def received(self, packet: bytes) -> None:
        """Note one HCI packet from the controller."""
        capture = self._recorder.capture
        if capture is not None:
            self._write(capture, pack(capture.now(), False, packet))
        if packet[0] == EVENT:
            self._remember_event(packet)

    def frame_sent(self, handle: int, frame: bytes) -> None:
        """Note one L2CAP frame that left the host without HCI, as the packets it would be."""
        capture = self._recorder.capture
        if capture is not None:
            self._write_frame(capture, True, handle | _FIRST_SENT, frame)

    def frame_received(self, handle: int, frame: bytes) -> None:
        """Note one L2CAP frame that reached the host without HCI."""
        capture = self._recorder.capture
        if capture is not None:
            self._write_frame(capture, False, handle | _FIRST_RECEIVED, frame)

    def settle(self, acl_length: int) -> None:
        """Take the set-up of the controller to be over: what was said so far was part of it.

        ``acl_length`` is how many octets of data the controller takes in one ACL data packet.
        """
        self._setting_up = False
        self._acl_length = acl_length

    def _write_frame(self, capture: Capture, sent: bool, first: int, frame: bytes) -> None:
        now, size, length = capture.now(), self._acl_length, len(frame)
        if length <= size:
            self._write(capture, pack_acl(now, sent, first, frame))
            return
        flagged = first
        for at in range(0, length, size):
            part = frame[at : at + size]
            self._write(capture, pack_acl(now, sent, flagged, part))
            flagged = first & 0x0FFF | _CONTINUING

    def _write(self, capture: Capture, record: bytes) -> None:
        if capture is not self._capture:
            self._capture = capture
            self._file = capture.open(self._name, self._before.values())
        if self._file is not None:
            self._file.write(record)

    def _remember_command(self, packet: bytes) -> None:
        opcode = packet[1:3]
        if opcode == _RESET:
            self._before.clear()
        if opcode == _SET_RANDOM_ADDRESS:
            # The last one counts, and in its place in time.
            self._before.pop(_SET_RANDOM_ADDRESS, None)
            self._before[_SET_RANDOM_ADDRESS] = (True, packet)
        elif self._setting_up:
            self._before[object()] = (True, packet)

    def _remember_event(self, packet: bytes) -> None:
        code = packet[1]
        if code == _LE_META and len(packet) > 6 and packet[3] in _CONNECTION_COMPLETE:
            if packet[4] == 0:
                self._before[_handle(packet, 5)] = (False, packet)
        elif code == _DISCONNECTION_COMPLETE and len(packet) > 5:
            self._before.pop(_handle(packet, 4), None)
        elif self._setting_up:
            self._before[object()] = (False, packet)


def _handle(packet: bytes, at: int) -> int:
    return (packet[at] | packet[at + 1] << 8) & 0x0FFF


def _clock() -> Callable[[], int]:
    """Return what tells the time of the running loop in microseconds since 1970."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualClockLoop):
        return lambda: time.time_ns() // 1000
    time_ns = loop.time_ns
    began = time_ns() - VIRTUAL_EPOCH * 1000
    return lambda: (time_ns() - began) // 1000
