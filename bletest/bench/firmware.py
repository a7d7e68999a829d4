"""Firmware that runs on this machine: started for a run or a test, watched, and stopped."""

import asyncio
import atexit
import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from bletest.errors import BenchTrouble, FirmwareDied

TIME_TO_END = 3.0
"""Seconds that firmware has to end after SIGTERM, before SIGKILL ends it."""

LAST_LINES = 10
"""Lines of its output that a message about its death shows."""

_POLL = 0.01


class Firmware:
    """A command in a process group of its own, whose output goes to a file.

    ``command`` is split as a shell splits words, and no shell runs it. ``log`` takes what it
    writes, start after start.
    """

    def __init__(self, command: str, *, log: Path, environment: Mapping[str, str]) -> None:
        self.command = command
        self.log = log
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._start = 0
        self.is_told = False
        """Whether its death, if it has died, has been told to somebody."""

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended since."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; raises BenchTrouble if there is no such command."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._start = log.tell()
            self._process = self._spawn(log)
        self.is_told = False
        _RUNNING.add(self._process)

    def _spawn(self, log: BinaryIO) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                shlex.split(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        except (OSError, ValueError, IndexError) as error:
            raise BenchTrouble(
                f"the device command cannot be started: {self.command}: {error}",
                remedy="check --ble-device-command; it runs without a shell, in this directory",
            ) from error

    def death(self) -> FirmwareDied | None:
        """Return how it died, None while it runs and where nobody has started it."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by {_signal_name(-code)}"
        last = self.output(self._start).splitlines()[-LAST_LINES:]
        said = "its last lines were\n" + "\n".join(f"  {line}" for line in last)
        return FirmwareDied(
            f"the firmware {how}; {said if last else 'it had written nothing'}",
            exit_code=code,
            remedy=f"its whole output is in {self.log}",
        )

    def end_of_output(self) -> int:
        """Return how many octets the log has."""
        return self.log.stat().st_size if self.log.exists() else 0

    def output(self, since: int = 0) -> str:
        """Return what it has written after so many octets of the log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    async def stop(self) -> None:
        """End it with everything it has started. Harmless where it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        _signal_group(process, signal.SIGTERM)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + TIME_TO_END
        while process.poll() is None and loop.time() < deadline:  # noqa: ASYNC110 a process has no event
            await asyncio.sleep(_POLL)
        # What it has started may outlive it, and the group lives as long as one of them.
        _signal_group(process, signal.SIGKILL)
        process.wait()
        _RUNNING.discard(process)


class _Running:
    """Every firmware that runs, so that none outlives bletest, however that ends."""

    def __init__(self) -> None:
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._handlers: dict[int, object] = {}

    def add(self, process: "subprocess.Popen[bytes]") -> None:
        if not self._processes:
            atexit.register(self.kill)
            self._catch_signals()
        self._processes.add(process)

    def discard(self, process: "subprocess.Popen[bytes]") -> None:
        self._processes.discard(process)
        if not self._processes:
            atexit.unregister(self.kill)
            self._release_signals()

    def kill(self) -> None:
        for process in self._processes:
            _signal_group(process, signal.SIGKILL)

    def _catch_signals(self) -> None:
        # These end Python without a word to atexit. Who has a handler already knows better.
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                self._handlers[number] = signal.signal(number, self._on_signal)

    def _release_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._handlers:
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, signal.SIG_DFL)
        self._handlers.clear()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.kill()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


_RUNNING = _Running()


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    # It leads its group, which has its number. A group that is empty is gone.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
