"""``bletest serve`` and ``bletest air`` as programs of their own, reached over HCI ports."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BLETEST = [sys.executable, "-c", "from bletest.cli import main; main()"]
PORT = "tcp-server:127.0.0.1:0"
"""A port of its own choice."""


class Served:
    """A running ``bletest serve`` or ``bletest air``, and what it has said until it was ready."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []

    def wait_ready(self) -> None:
        """Return when the devices are on the air and the ports are open."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("ready"):
                return
        raise AssertionError(f"never ready: {self.said} {self.process.communicate()}")

    @property
    def ports(self) -> list[str]:
        """The transports by which a host reaches the ports."""
        found = [line for line in self.said if line.startswith("HCI port ")]
        return [line.removeprefix("HCI port ").replace("server", "client") for line in found]

    def end(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal; return exit code, the rest of standard output, and standard error."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@contextmanager
def serving(*arguments: str, command: str = "serve") -> Iterator[Served]:
    """Run ``bletest COMMAND`` with the arguments for the length of a block."""
    with subprocess.Popen(
        [*BLETEST, command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        served = Served(process)
        try:
            served.wait_ready()
            yield served
        finally:
            process.kill()
