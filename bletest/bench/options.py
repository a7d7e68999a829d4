"""The options of a run, declared once: pytest and the command line both show these.

Each is ``--ble-NAME`` on a command line and ``ble_NAME`` in pytest's ini file.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from bletest.bench.link_options import INSTANT, parse_link
from bletest.bench.settings import (
    EMULATED,
    VIRTUAL,
    CaptureChoice,
    ClockChoice,
    Lifetime,
    Settings,
    parse_allow,
    parse_device,
    parse_transport,
)
from bletest.errors import UsageMistake

if TYPE_CHECKING:
    from bletest.link.port_spec import PortSpec

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Option:
    """One option. ``many`` may be given several times, ``flag`` takes no value."""

    name: str
    metavar: str
    help: str
    default: str = ""
    many: bool = False
    flag: bool = False

    @property
    def switch(self) -> str:
        """The command-line spelling."""
        return f"--ble-{self.name}"

    @property
    def key(self) -> str:
        """The ini spelling, a Python identifier."""
        return "ble_" + self.name.replace("-", "_")


OPTIONS = (
    Option("profile", "PROFILE", "profile file, shipped name or glob; repeatable", many=True),
    Option(
        "adapter",
        "RADIO",
        "the client's radio: virtual, or a bumble transport; repeatable, for several clients",
        VIRTUAL,
        many=True,
    ),
    Option("device", "DEVICE", "emulated, an address, name:NAME or service:UUID", EMULATED),
    Option("emulate-on", "TRANSPORT", "the radio of an emulated device (else the virtual air)"),
    Option(
        "hci-port", "PORT", "a port on the air for a host stack: tcp-server:…, unix-server:…, pty:…"
    ),
    Option("device-command", "CMD", "firmware to run; BLETEST_HCI_PORT tells it the port"),
    Option(
        "device-lifetime", "TIME", "the firmware is started for each: session or test", "session"
    ),
    Option(
        "behaviours",
        "DISTRIBUTION",
        "an installed distribution whose behaviours profiles may name; repeatable",
        many=True,
    ),
    Option("link", "MODEL", "the virtual air: instant, ideal, noisy, KEY=VALUE,…", INSTANT),
    Option("clock", "CLOCK", "auto, virtual or real", ClockChoice.AUTO),
    Option("allow", "EFFECTS", "side effects allowed on a real device beside stores", many=True),
    Option("strict", "", "a skip for want of a capability fails the test", flag=True),
    Option("timeout-scale", "FACTOR", "multiplies every time a client waits", "1"),
    Option(
        "capture",
        "WHEN",
        "capture HCI in btsnoop files: off, on or retain-on-failure",
        CaptureChoice.RETAIN_ON_FAILURE,
    ),
    Option("output", "FOLDER", "where evidence goes, one folder a test", "bletest-results"),
    Option("bond-store", "FILE", "where an emulated device keeps its bonds over a restart"),
    Option("seed", "NUMBER", "for everything random; printed when chosen"),
)
BY_NAME = {option.name: option for option in OPTIONS}


class Given(Protocol):
    """Where the values come from: a command line, an ini file."""

    def text(self, name: str) -> str:
        """Return the value of a plain option, its default where it was not given."""

    def words(self, name: str) -> list[str]:
        """Return the values of a repeatable option: its default, if any, where none was given."""

    def flag(self, name: str) -> bool:
        """Return whether a flag was given."""


def choose_seed() -> int:
    """Return a fresh seed, for a run that was given none."""
    return random.SystemRandom().randrange(1 << 32)


def build_settings(given: Given, *, fallback_seed: Callable[[], int] = choose_seed) -> Settings:
    """Turn options into Settings; raises UsageMistake that names option and remedy."""
    adapter, *more = (_adapter(one) for one in given.words("adapter"))
    emulate_on = given.text("emulate-on")
    hci_port = given.text("hci-port")
    allow, seed = given.words("allow"), given.text("seed")
    return Settings(
        adapter=adapter,
        more_adapters=tuple(more),
        device=parse_device("--ble-device", given.text("device")),
        emulate_on=parse_transport("--ble-emulate-on", emulate_on) if emulate_on else None,
        hci_port=_port("--ble-hci-port", hci_port) if hci_port else None,
        device_command=given.text("device-command"),
        device_lifetime=_choice(given, "device-lifetime", Lifetime),
        behaviours=tuple(given.words("behaviours")),
        link=parse_link("--ble-link", given.text("link")),
        clock=_choice(given, "clock", ClockChoice),
        allow=parse_allow("--ble-allow", allow) if allow else frozenset(),
        strict=given.flag("strict"),
        timeout_scale=_number(given, "timeout-scale", float),
        capture=_choice(given, "capture", CaptureChoice),
        seed=_number(given, "seed", int) if seed else fallback_seed(),
        output=Path(given.text("output")),
        bond_store=Path(given.text("bond-store")) if given.text("bond-store") else None,
    )


def _adapter(text: str) -> str:
    return text if text == VIRTUAL else parse_transport("--ble-adapter", text)


def _port(option: str, text: str) -> "PortSpec":
    from bletest.link.port_spec import parse_port  # every pytest run imports this module

    return parse_port(option, text)


def _choice(given: Given, name: str, kind: type[Choice]) -> Choice:
    text = given.text(name)
    try:
        return kind(text)
    except ValueError:
        raise UsageMistake(
            f'--ble-{name}: "{text}" is unknown', remedy=f"choose from {', '.join(kind)}"
        ) from None


def _number(given: Given, name: str, kind: Callable[[str], T]) -> T:
    text = given.text(name)
    try:
        return kind(text)
    except ValueError:
        raise UsageMistake(f'--ble-{name}: "{text}" is no number', remedy="give a number") from None
