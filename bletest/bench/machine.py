"""What a machine has for testing Bluetooth, and the command that would give it what it lacks.

Everything is looked up, nothing is opened for use: dongles and the operating system's Bluetooth
go on as they were.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_BLUETOOTH = ("e0", "01", "01")
"""Class, subclass and protocol of a Bluetooth controller on USB (Vol 4, Part B, 3.1)."""

_ANSWER = 3.0
"""Seconds that a program may take to say its version."""


class Kind(StrEnum):
    """What a line is about."""

    RADIO = "radio"
    SYSTEM = "system"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of this machine: whether it can be used as it is, and what would mend it.

    ``remedy`` is a command or a sentence, empty where there is nothing to mend. ``identity``
    stays the same for one physical thing, wherever it is plugged in.
    """

    kind: Kind
    name: str
    usable: bool
    detail: str
    remedy: str = ""
    identity: str = ""


def _may_open(node: Path) -> bool:
    return os.access(node, os.R_OK | os.W_OK)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, looked at through its file system; ``root`` is another one's in tests."""

    root: Path = Path("/")
    find_program: Callable[[str], str | None] = field(default=shutil.which)
    may_open: Callable[[Path], bool] = field(default=_may_open)
    user: str = field(default_factory=lambda: os.environ.get("USER", "$USER"))

    def lines(self) -> list[Line]:
        """Return everything that is there, or lacks."""
        radios = [*self._usb_dongles(), *self._serial_controllers()]
        if not radios:
            radios = [
                Line(
                    Kind.RADIO,
                    "dongles",
                    False,
                    "none is plugged in; the virtual air needs none",
                    "plug in a USB controller, or a board with HCI firmware on a serial port",
                )
            ]
        return [*radios, *self._kernel_radios(), self._bus(), self._bluez(), *self._tools()]

    # Radios

    def _usb_dongles(self) -> Iterator[Line]:
        for place in sorted(self._under("sys/bus/usb/devices")):
            interfaces = [one for one in sorted(place.glob(f"{place.name}:*")) if one.is_dir()]
            if not _is_bluetooth(place, "bDevice") and not any(
                _is_bluetooth(one, "bInterface") for one in interfaces
            ):
                continue
            vendor, product = _text(place / "idVendor"), _text(place / "idProduct")
            serial = _text(place / "serial")
            named = " ".join(
                filter(None, (_text(place / "manufacturer"), _text(place / "product")))
            )
            node = self.root / "dev/bus/usb" / _number(place, "busnum") / _number(place, "devnum")
            spec = f"usb:{vendor}:{product}" + (f"/{serial}" if serial else "")
            bound = [one for one in interfaces if (one / "driver").exists()]
            yield self._dongle(
                spec=spec,
                identity=f"{vendor}:{product} {serial}".strip() + f" at {place.name}",
                named=named or "a Bluetooth controller",
                node=node,
                bound=bound,
            )

    def _dongle(
        self, *, spec: str, identity: str, named: str, node: Path, bound: list[Path]
    ) -> Line:
        if not self.may_open(node):
            rule = (
                'SUBSYSTEM=="usb", ATTR{idVendor}=="'
                f'{spec[4:8]}", ATTR{{idProduct}}=="{spec[9:13]}", MODE="0660", GROUP="plugdev"'
            )
            return Line(
                Kind.RADIO,
                spec,
                False,
                f"{named}: this user may not open {node}",
                f"echo '{rule}' | sudo tee /etc/udev/rules.d/70-bletest.rules"
                f" && sudo udevadm control --reload && sudo udevadm trigger"
                f" && sudo usermod -aG plugdev {self.user}",
                identity,
            )
        if bound:
            unbind = " && ".join(
                f"echo {one.name} | sudo tee {one / 'driver' / 'unbind'}" for one in bound[:1]
            )
            return Line(
                Kind.RADIO,
                spec,
                True,
                f"{named}; the kernel uses it, and lets go when bletest opens it",
                f"if it does not let go: {unbind}",
                identity,
            )
        return Line(Kind.RADIO, spec, True, named, "", identity)

    def _serial_controllers(self) -> Iterator[Line]:
        by_id = {one.resolve(): one.name for one in self._under("dev/serial/by-id")}
        ports = [
            port
            for port in sorted(self._under("dev"))
            if port.name.startswith(("ttyACM", "ttyUSB"))
        ]
        for port in ports:
            identity = by_id.get(port.resolve(), "")
            usable = self.may_open(port)
            yield Line(
                Kind.RADIO,
                f"serial:{port}",
                usable,
                f"a serial port ({identity or 'of no name'}), for boards with HCI firmware"
                + ("" if usable else f": this user may not open {port}"),
                "" if usable else f"sudo usermod -aG dialout {self.user}, and log in again",
                identity,
            )

    def _kernel_radios(self) -> Iterator[Line]:
        for place in sorted(self._under("sys/class/bluetooth")):
            if ":" in place.name:  # a connection, not a controller
                continue
            yield Line(
                Kind.SYSTEM,
                place.name,
                True,
                "a controller that the operating system drives",
                identity=_text(place / "address"),
            )

    # The operating system's Bluetooth

    def _bus(self) -> Line:
        path = self.root / "run/dbus/system_bus_socket"
        if _answers(path):
            return Line(Kind.SYSTEM, "D-Bus", True, "the system bus answers")
        return Line(
            Kind.SYSTEM,
            "D-Bus",
            False,
            f"nobody listens at {path}",
            "sudo apt install dbus && sudo service dbus start",
        )

    def _bluez(self) -> Line:
        daemon = self.find_program("bluetoothd") or next(
            (
                str(one)
                for one in (
                    self.root / "usr/libexec/bluetooth/bluetoothd",
                    self.root / "usr/lib/bluetooth/bluetoothd",
                )
                if one.exists()
            ),
            None,
        )
        if daemon is None:
            return Line(Kind.SYSTEM, "BlueZ", False, "not installed", "sudo apt install bluez")
        version = _version(daemon)
        runs = any(
            _text(one / "comm") == "bluetoothd" for one in self._under("proc") if one.name.isdigit()
        )
        if runs:
            return Line(Kind.SYSTEM, "BlueZ", True, f"{version}, its daemon runs")
        return Line(
            Kind.SYSTEM,
            "BlueZ",
            False,
            f"{version}, its daemon does not run",
            "sudo service bluetooth start",
        )

    # Programs

    def _tools(self) -> Iterator[Line]:
        for name, use, remedy in (
            ("node", "HTML reports (with npx)", "sudo apt install nodejs npm"),
            ("npx", "HTML reports", "sudo apt install npm"),
            ("tshark", "reading captures", "sudo apt install tshark"),
        ):
            path = self.find_program(name)
            if path is None:
                yield Line(Kind.TOOL, name, False, f"not installed; for {use}", remedy)
            else:
                yield Line(Kind.TOOL, name, True, f"{_version(path)}; for {use}")

    def _under(self, folder: str) -> list[Path]:
        try:
            return list((self.root / folder).iterdir())
        except OSError:
            return []


def _is_bluetooth(place: Path, prefix: str) -> bool:
    names = (f"{prefix}Class", f"{prefix}SubClass", f"{prefix}Protocol")
    return tuple(_text(place / name) for name in names) == _BLUETOOTH


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(place: Path, name: str) -> str:
    return _text(place / name).zfill(3)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _version(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_ANSWER, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return "of unknown version"
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else "of unknown version"
