"""How an HCI port is written: ``tcp-server:127.0.0.1:9000,buffers=27``. Importing it is cheap."""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from bletest.errors import UsageMistake

LOOPBACK = "127.0.0.1"
LISTENING = ("tcp-server", "unix-server", "pty")
"""The kinds of port that wait for hosts, one after the other."""

WIRED = ("serial", "tcp-client", "unix-client")
"""The kinds of port that lead to one host, for as long as the port is open."""

SMALLEST_BUFFERS, LARGEST_BUFFERS = 27, 251

_EXAMPLE = "tcp-server:127.0.0.1:9000, unix-server:/tmp/hci or pty:/tmp/hci"
_OPTION = re.compile(r",(buffers|address|advertising)=([^,]*)$")
_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", re.I)


@dataclass(frozen=True, slots=True)
class PortSpec:
    """Where a port is, and what its controller is like.

    ``place`` is ``HOST:PORT`` or a path. ``buffers`` is the length of the controller's ACL data
    packets in octets, ``public_address`` None for one that is made up from the seed, and
    ``extended`` makes it one with extended advertising.
    """

    scheme: str
    place: str
    buffers: int = LARGEST_BUFFERS
    public_address: str | None = None
    extended: bool = False

    @property
    def transport(self) -> str:
        """The port as bumble writes it, without what its controller is like."""
        return f"{self.scheme}:{self.place}" if self.place else self.scheme


def parse_port(option: str, text: str) -> PortSpec:
    """Read a port; ``option`` is named in the UsageMistake that is raised for anything else."""
    rest, buffers, address, extended = text, LARGEST_BUFFERS, None, False
    while (found := _OPTION.search(rest)) is not None:
        rest = rest[: found.start()]
        if found[1] == "buffers":
            buffers = _buffers(option, text, found[2])
        elif found[1] == "advertising":
            extended = _extended(option, text, found[2])
        else:
            address = _address(option, text, found[2])
    scheme, _, place = rest.partition(":")
    if scheme not in LISTENING + WIRED:
        close = get_close_matches(scheme, LISTENING + WIRED, n=1)
        hint = f'did you mean "{close[0]}"?' if close else "it has no such kind"
        raise UsageMistake(f'{option}: "{text}" is no HCI port', remedy=f"{hint} Write {_EXAMPLE}")
    if scheme == "tcp-server":
        place = _listening_place(option, text, place)
    elif scheme != "pty" and not place:
        raise UsageMistake(f'{option}: "{text}" does not say where', remedy=f"write {_EXAMPLE}")
    return PortSpec(scheme, place, buffers, address, extended)


def _listening_place(option: str, text: str, place: str) -> str:
    host, _, number = place.rpartition(":")
    if not number.isascii() or not number.isdecimal() or int(number) > 0xFFFF:
        raise UsageMistake(
            f'{option}: "{text}" has no port number',
            remedy="write tcp-server:HOST:PORT; port 0 is any that is free",
        )
    # bumble reads "_" as every interface; an air is nobody's business beyond this machine
    # unless somebody says so by its address.
    return f"{LOOPBACK if host in ('', '_') else host}:{int(number)}"


def _buffers(option: str, text: str, value: str) -> int:
    if value.isascii() and value.isdecimal():
        buffers = int(value)
        if SMALLEST_BUFFERS <= buffers <= LARGEST_BUFFERS:
            return buffers
    raise UsageMistake(
        f'{option}: "{text}" has buffers of {value or "no"} octets',
        remedy=f"give {SMALLEST_BUFFERS} to {LARGEST_BUFFERS} (Vol 4, Part E, 7.8.2)",
    )


def _extended(option: str, text: str, value: str) -> bool:
    if value in ("legacy", "extended"):
        return value == "extended"
    raise UsageMistake(
        f'{option}: "{text}" has advertising of the kind "{value}"',
        remedy="write advertising=legacy or advertising=extended",
    )


def _address(option: str, text: str, value: str) -> str:
    if _ADDRESS.fullmatch(value):
        return value.upper()
    raise UsageMistake(
        f'{option}: "{text}" has the address "{value}"',
        remedy="write six octets, 02:00:00:00:00:01",
    )
