"""What a run is told: adapter, device, clock, side effects, seed. Validated, and nothing opened.

Importing this module is cheap: the pytest plugin reads its options with it before it knows
whether any test needs a radio.
"""

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from bletest.bench.link_options import LinkOptions
from bletest.contracts.capabilities import Capability
from bletest.contracts.effects import SideEffect
from bletest.errors import UsageMistake

if TYPE_CHECKING:
    from bletest.link.port_spec import PortSpec

VIRTUAL = "virtual"
EMULATED = "emulated"

TRANSPORTS = (
    "usb",
    "pyusb",
    "serial",
    "tcp-client",
    "tcp-server",
    "unix-client",
    "unix-server",
    "pty",
    "udp",
    "ws-client",
    "ws-server",
    "hci-socket",
    "vhci",
    "file",
    "android-emulator",
    "android-netsim",
)
"""The bumble transports an adapter may be reached through."""

_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", re.I)


class ClockChoice(StrEnum):
    """``auto`` is virtual unless something real is attached."""

    AUTO = "auto"
    VIRTUAL = "virtual"
    REAL = "real"


class Lifetime(StrEnum):
    """How long firmware runs before it is started anew."""

    SESSION = "session"
    TEST = "test"


class SelectBy(StrEnum):
    """How a real device is recognised while scanning."""

    ADDRESS = "address"
    NAME = "name"
    SERVICE = "service"


class CaptureChoice(StrEnum):
    """Which tests leave a capture of HCI: none, all, or those that failed."""

    OFF = "off"
    ON = "on"
    RETAIN_ON_FAILURE = "retain-on-failure"


@dataclass(frozen=True, slots=True)
class DeviceSelector:
    """How to find a real device among those that advertise."""

    by: SelectBy
    value: str

    def __str__(self) -> str:
        return f"{self.by}:{self.value}" if self.by is not SelectBy.ADDRESS else self.value


def parse_transport(option: str, text: str) -> str:
    """Return ``text`` if it names a bumble transport, raise UsageMistake otherwise."""
    scheme = text.partition(":")[0]
    if scheme in TRANSPORTS:
        return text
    close = get_close_matches(scheme, (VIRTUAL, *TRANSPORTS), n=1)
    hint = f'did you mean "{close[0]}"?' if close else f"known are {', '.join(TRANSPORTS)}"
    raise UsageMistake(
        f'{option}: "{text}" names no transport',
        remedy=f"{hint}; for example usb:0, serial:/dev/ttyACM0 or tcp-client:127.0.0.1:9000",
    )


def parse_device(option: str, text: str) -> DeviceSelector | None:
    """Return how to find a real device, None for the emulated one; raise UsageMistake."""
    if text == EMULATED:
        return None
    if _ADDRESS.fullmatch(text):
        return DeviceSelector(SelectBy.ADDRESS, text.upper())
    for by in (SelectBy.NAME, SelectBy.SERVICE):
        if text.startswith(f"{by}:") and len(text) > len(by) + 1:
            return DeviceSelector(by, text[len(by) + 1 :])
    raise UsageMistake(
        f'{option}: "{text}" is no device',
        remedy="write emulated, an address such as C0:11:22:33:44:55, name:NAME or service:UUID",
    )


def parse_allow(option: str, words: list[str]) -> frozenset[SideEffect]:
    """Return the side effects named in ``words`` (comma-separated lists); raise UsageMistake."""
    allowed = set()
    for word in ",".join(words).split(","):
        try:
            allowed.add(SideEffect(word.strip()))
        except ValueError:
            raise UsageMistake(
                f'{option}: "{word.strip()}" is no side effect',
                remedy=f"choose from {', '.join(SideEffect)}",
            ) from None
    return frozenset(allowed)


@dataclass(frozen=True, slots=True)
class Settings:
    """The bench of one run.

    ``adapter`` is ``"virtual"`` or a bumble transport, ``device`` None for the emulated device.
    ``emulate_on`` is the transport that gives an emulated device its radio, None for the
    virtual air, ``link`` says how that carries. ``hci_port`` opens that air to another host
    stack, which ``device_command`` starts (empty: somebody else does). ``behaviours`` are the
    distributions whose behaviours an emulated device may have. ``timeout_scale`` multiplies every
    time a client waits. ``bond_store`` is the file that an emulated device keeps its bonds in,
    None where they end with it.
    """

    adapter: str = VIRTUAL
    more_adapters: tuple[str, ...] = ()
    device: DeviceSelector | None = None
    emulate_on: str | None = None
    hci_port: "PortSpec | None" = None
    device_command: str = ""
    device_lifetime: Lifetime = Lifetime.SESSION
    behaviours: tuple[str, ...] = ()
    link: LinkOptions = field(default_factory=LinkOptions)
    clock: ClockChoice = ClockChoice.AUTO
    allow: frozenset[SideEffect] = frozenset()
    strict: bool = False
    timeout_scale: float = 1.0
    capture: CaptureChoice = CaptureChoice.RETAIN_ON_FAILURE
    seed: int = 0
    output: Path = field(default_factory=lambda: Path("bletest-results"))
    bond_store: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what does not fit together; raise UsageMistake."""
        virtual = self.adapter == VIRTUAL
        self._check_adapters()
        if virtual and self.device is not None and self.hci_port is None:
            raise UsageMistake(
                f"--ble-device {self.device} names a real device, and --ble-adapter is virtual",
                remedy="name the radio with --ble-adapter, for example usb:0, or let the device "
                "on the air with --ble-hci-port",
            )
        if self.hci_port is not None and not virtual:
            raise UsageMistake(
                f"--ble-hci-port {self.hci_port.transport} opens the virtual air, and "
                f"--ble-adapter {self.adapter} is not on it",
                remedy="leave --ble-adapter away",
            )
        if self.device_command and self.hci_port is None:
            raise UsageMistake(
                "--ble-device-command starts firmware, and there is no port it could use",
                remedy="open one on the virtual air: --ble-hci-port pty",
            )
        if virtual and self.emulate_on is not None:
            raise UsageMistake(
                f"--ble-emulate-on {self.emulate_on} needs a real --ble-adapter to hear it",
                remedy="name the client's radio with --ble-adapter, for example usb:0",
            )
        if self.device is not None and self.emulate_on is not None:
            raise UsageMistake(
                "--ble-device names a real device, and --ble-emulate-on asks for an emulated one",
                remedy="give one of the two",
            )
        if self.bond_store is not None and not self.emulated:
            raise UsageMistake(
                "--ble-bond-store keeps the bonds of an emulated device, and --ble-device names a"
                " real one",
                remedy="leave it away: a real device keeps its bonds itself",
            )
        if self.clock is ClockChoice.VIRTUAL and self.real_because:
            raise UsageMistake(
                f"--ble-clock virtual is impossible: {self.real_because}",
                remedy="leave --ble-clock away: what is real keeps its own time",
            )
        if self.timeout_scale <= 0:
            raise UsageMistake(
                f"--ble-timeout-scale is {self.timeout_scale:g}",
                remedy="give a number above 0",
            )

    def _check_adapters(self) -> None:
        adapters = (self.adapter, *self.more_adapters)
        twice = next((one for one in adapters if adapters.count(one) > 1), None)
        if len(adapters) > 1 and VIRTUAL in adapters:
            raise UsageMistake(
                "--ble-adapter virtual stands for as many radios as there are clients",
                remedy="leave the others away, or name real ones only",
            )
        if twice is not None:
            raise UsageMistake(
                f"--ble-adapter {twice} is one radio, and is named twice",
                remedy="name another one for a second client",
            )

    @property
    def real_because(self) -> str | None:
        """Say what makes time real, None where it is virtual."""
        reasons = []
        if self.adapter != VIRTUAL:
            reasons.append(f"the adapter {self.adapter} is real")
        if self.emulate_on is not None:
            reasons.append(f"the emulated device's radio {self.emulate_on} is real")
        if self.hci_port is not None:
            reasons.append(f"a host stack may attach to --ble-hci-port {self.hci_port.transport}")
        if not reasons and self.clock is ClockChoice.REAL:
            reasons.append("--ble-clock real asks for it")
        return " and ".join(reasons) or None

    @property
    def emulated(self) -> bool:
        """Whether the device under test is emulated."""
        return self.device is None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What adapter and device can do, known before either is opened."""
        driven_by_us = {
            Capability.RAW_ATT,
            Capability.PAIRING,
            Capability.PAIRING_CHOICE,
            Capability.HANDLES,
            Capability.MTU_CHOICE,
            Capability.ALL_SERVICES,
        }
        if self.adapter == VIRTUAL or self.more_adapters:
            driven_by_us.add(Capability.SECOND_CLIENT)
        if self.emulated:
            driven_by_us |= {Capability.PERIPHERAL_CONTROL, Capability.PRISTINE, Capability.WAKE}
        elif self.device_command and self.device_lifetime is Lifetime.TEST:
            driven_by_us.add(Capability.PRISTINE)
        return frozenset(driven_by_us)

    def allows(self, effect: SideEffect) -> bool:
        """Whether a test may do this to the world: anything to an emulated device."""
        return (
            self.emulated or effect in (SideEffect.NONE, SideEffect.STORES) or effect in self.allow
        )
