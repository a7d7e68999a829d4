"""Firmware for tests of the bench: plain HCI on a serial port, standard library alone.

It advertises as ``Raw`` and prints its process id, then does what its arguments say: ``child``
(start one and print its id), ``deaf`` (ignore SIGTERM), ``closed`` (never open the port),
``assert`` (die with last words as soon as there is a file ``die``).
"""

import os
import signal
import subprocess
import sys
import time

ADDRESS = bytes.fromhex("c00000000042")
COMMANDS = (
    (0x0C03, b""),
    (0x2005, ADDRESS[::-1]),
    (0x2006, bytes.fromhex("2000 2000 00 01 00 000000000000 07 00")),
    (0x2008, bytes([8]) + bytes.fromhex("020106 04 09") + b"Raw" + bytes(23)),
    (0x200A, b"\x01"),
)


def main(wishes: list[str]) -> None:
    print("pid", os.getpid(), flush=True)
    if "deaf" in wishes:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "child" in wishes:
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"])
        print("child", child.pid, flush=True)
    if "closed" not in wishes:
        port = os.open(os.environ["BLETEST_HCI_PORT"], os.O_RDWR | os.O_NOCTTY)
        for opcode, parameters in COMMANDS:
            os.write(port, b"\x01" + opcode.to_bytes(2, "little") + bytes([len(parameters)]))
            os.write(port, parameters)
            answer = os.read(port, 7)
            print(f"0x{opcode:04x} answered with status {answer[-1]}", flush=True)
    if "assert" in wishes:
        while not os.path.exists("die"):
            time.sleep(0.01)
        os.remove("die")
        print("ASSERTION FAILED at main.c:42", flush=True)
        sys.exit(3)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
