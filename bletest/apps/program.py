"""The program under test: a function that uses plain bleak, or a command in its own process."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bletest.apps.environment import environment_for
from bletest.apps.swap import plain_bleak_on
from bletest.errors import AppFailed, BenchTrouble, CapabilityMissing, UsageMistake
from bletest.link.clock import real_time
from bletest.link.hci_port import HciPort

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bletest.bench.bench import Bench
    from bletest.client.adapter import BumbleAdapter

ANY_PORT = "tcp-server:127.0.0.1:0"
"""Where a program's radio is offered: on the loopback interface, at a port that is free."""

TIME_TO_END = 3.0
"""Seconds that a program has to end after SIGTERM."""

_LAST = 15
"""Lines of a program's output that a message about it shows."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended: its exit code (negative for a signal), and what it wrote."""

    command: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    def check(self) -> None:
        """Raise AppFailed unless it ended with 0."""
        if self.exit_code:
            how = (
                f"ended with exit code {self.exit_code}"
                if self.exit_code > 0
                else f"was ended by {signal.Signals(-self.exit_code).name}"
            )
            raise AppFailed(f"{_shown(self.command)} {how}{_last_lines(self.stdout, self.stderr)}")


class Running:
    """A program that runs. ``await wait()`` for its end; leaving the block ends it."""

    def __init__(self, command: tuple[str, ...], process: asyncio.subprocess.Process) -> None:
        self.command = command
        self._process = process
        self._written: list[bytes] = [b"", b""]
        self._news = asyncio.Condition()
        assert process.stdout is not None
        assert process.stderr is not None
        streams = (process.stdout, process.stderr)
        self._open = len(streams)
        self._readers = [
            asyncio.ensure_future(self._read(number, stream))
            for number, stream in enumerate(streams)
        ]

    @property
    def stdout(self) -> str:
        """What it has written to standard output so far."""
        return self._written[0].decode(errors="replace")

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return self._written[1].decode(errors="replace")

    async def says(self, text: str, *, within: float = 10.0) -> None:
        """Wait until ``text`` is in what it writes; raises AppFailed if it does not come."""
        async with self._news:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._news.wait_for(
                        lambda: text in self.stdout + self.stderr or not self._open
                    )
        if text not in self.stdout + self.stderr:
            raise AppFailed(
                f'{_shown(self.command)} did not say "{text}" within {within:g} s'
                f"{_last_lines(self.stdout, self.stderr)}"
            )

    async def tell(self, text: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode() + b"\n")
        with suppress(ConnectionError):  # its end says more than a closed pipe
            await self._process.stdin.drain()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal; harmless where it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def wait(self, *, within: float = 60.0) -> Ended:
        """Wait for its end; raises AppFailed if it runs on."""
        try:
            async with asyncio.timeout(within):
                code = await self._process.wait()
                await asyncio.gather(*self._readers)
        except TimeoutError:
            raise AppFailed(
                f"{_shown(self.command)} had not ended after {within:g} s"
                f"{_last_lines(self.stdout, self.stderr)}",
                remedy="give it more time with within=, or tell it to end",
            ) from None
        return Ended(self.command, code, self.stdout, self.stderr)

    async def stop(self) -> None:
        """End it, with everything that it has started."""
        if self._process.returncode is None:
            self._signal_group(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(TIME_TO_END):
                    await self._process.wait()
        self._signal_group(signal.SIGKILL)
        await self._process.wait()
        await asyncio.gather(*self._readers)

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _read(self, number: int, stream: asyncio.StreamReader) -> None:
        while octets := await stream.read(1 << 16):
            async with self._news:
                self._written[number] += octets
                self._news.notify_all()
        async with self._news:
            self._open -= 1
            self._news.notify_all()


class AppUnderTest:
    """Runs programs against the devices of a bench.

    While it is there, plain bleak in this process ends up on the bench, too. What programs in this
    process do is in the transcript; what those in others do, the emulated device tells.
    ``log`` takes what programs write, one after the other.
    """

    def __init__(self, bench: "Bench", *, log: Path) -> None:
        self._bench = bench
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._resources = ExitStack()
        self._visited = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which the adapters live."""
        return self._loop

    async def adapter(self, index: int) -> "BumbleAdapter":
        """Return the n-th radio of programs in this process."""
        return await self._bench.app_adapter(index)

    def visited(self) -> None:
        """Let time be real until :meth:`close`: a thread of the program has its own loop."""
        if not self._visited:
            self._visited = True
            self._resources.enter_context(real_time(self._loop))

    async def close(self) -> None:
        """Take the radios of programs in this process off the air."""
        await self._bench.close_app_adapters()
        self._resources.close()

    @contextmanager
    def plain_bleak(self) -> "Iterator[None]":
        """Have plain bleak in this process end up on the bench for the length of a block."""
        with plain_bleak_on(self):
            yield

    async def run(
        self,
        *command: str | os.PathLike[str],
        within: float = 60.0,
        check: bool = True,
        adapters: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a command to its end, against the devices on the air; return what came of it.

        ``python`` is the interpreter of this process. ``within`` is in seconds of real time;
        ``check`` raises AppFailed unless the exit code is 0. ``adapters`` radios are there for
        it. Raises CapabilityMissing where the air is real.
        """
        async with self.start(*command, adapters=adapters, environment=environment) as running:
            ended = await running.wait(within=within)
        if check:
            ended.check()
        return ended

    @asynccontextmanager
    async def start(
        self,
        *command: str | os.PathLike[str],
        adapters: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Running]:
        """Run a command for the length of a block at most; the rest is as for :meth:`run`."""
        words = tuple(str(word) for word in command)
        if not words:
            raise UsageMistake("say which command to run")
        if self._bench.air is None:
            raise CapabilityMissing(
                "a program in a process of its own finds its devices on the virtual air only",
                capability="virtual_air",
                remedy="leave --ble-adapter away",
            )
        async with AsyncExitStack() as resources:
            ports = []
            for number in range(adapters):
                port = HciPort(self._bench.air, ANY_PORT, name=f"app port {number}")
                ports.append(await resources.enter_async_context(port))
            radios = environment_for([port.other_end for port in ports])
            process = await _spawn(words, {**os.environ, **radios, **(environment or {})})
            running = Running(words, process)
            try:
                yield running
            finally:
                await running.stop()
                self._keep(running)

    def _keep(self, running: Running) -> None:
        if running.stdout or running.stderr:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"$ {_shown(running.command)}\n{running.stdout}{running.stderr}")


async def _spawn(
    words: tuple[str, ...], environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    program = sys.executable if words[0] in ("python", "python3") else words[0]
    try:
        return await asyncio.create_subprocess_exec(
            program,
            *words[1:],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise BenchTrouble(
            f"{_shown(words)} cannot be started: {error}",
            remedy="name a program that is on the PATH, or its path",
        ) from error


def _shown(command: tuple[str, ...]) -> str:
    return shlex.join(command)


def _last_lines(stdout: str, stderr: str) -> str:
    lines = [*stdout.splitlines(), *stderr.splitlines()][-_LAST:]
    if not lines:
        return "; it had written nothing"
    return "; its last lines were\n" + "\n".join(f"  {line}" for line in lines)
