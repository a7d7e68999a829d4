"""From what Pycom's calls take to what a profile says."""

from typing import Any

from bletest.peripheral.requests import encode_answer

_BASE = "-0000-1000-8000-00805f9b34fb"

_PROPERTIES = (
    "broadcast",
    "read",
    "write_without_response",
    "write",
    "notify",
    "indicate",
    "authenticated_signed_write",
)
"""By bit, from the lowest (Vol 3, Part G, 3.3.1.1)."""


def uuid_text(uuid: object) -> str:
    """Return a UUID as profiles write it.

    An int up to 0xFFFF is one of 16 bits, up to 0xFFFFFFFF one of 32; 16 octets or characters are
    one of 128, least significant octet first. Raises ValueError for anything else.
    """
    if isinstance(uuid, int) and not isinstance(uuid, bool):
        if 0 <= uuid <= 0xFFFF:
            return f"{uuid:08x}{_BASE}"
        if 0 <= uuid <= 0xFFFFFFFF:
            return f"{uuid:08x}{_BASE}"
    octets = uuid.encode() if isinstance(uuid, str) else uuid
    if isinstance(octets, bytes | bytearray) and len(octets) == 16:
        digits = bytes(octets)[::-1].hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    raise ValueError(f"a uuid is an int of up to 32 bits, or 16 octets, not {uuid!r}")


def octets_of(name: str, value: object) -> bytes:
    """Return str, bytes or an int as octets, an int big-endian; raises ValueError or TypeError."""
    if isinstance(value, str | bytes | bytearray | memoryview | int):
        octets = encode_answer(value)  # type: ignore[arg-type]
        assert octets is not None
        return octets
    raise TypeError(f"{name} is str, bytes or int, not {value!r}")


def properties_of(bits: int) -> list[str]:
    """Return the names of properties; raises ValueError for bits that no server can offer."""
    known = (1 << len(_PROPERTIES)) - 1
    if not 0 < bits <= 0xFF or bits & ~known:
        raise ValueError(f"properties are an OR of PROP_ constants, not {bits:#x}")
    return [name for bit, name in enumerate(_PROPERTIES) if bits & 1 << bit]


def access_of(permissions: int) -> dict[str, str]:
    """Return what permissions ask of a link, for reading and writing."""
    if not 0 <= permissions <= 0x1FF:
        raise ValueError(f"permissions are an OR of PERM_ constants, not {permissions:#x}")
    access = {}
    for name, encrypted, against_mitm in (("read", 0x002, 0x004), ("write", 0x020, 0x040)):
        if permissions & against_mitm:
            access[name] = "authenticated"
        elif permissions & encrypted:
            access[name] = "encrypted"
    return access


def advertising_of(
    name: str | None, manufacturer: bytes, service: bytes, uuid: str | None
) -> dict[str, Any]:
    """Return what a device advertises; its name is in the scan response."""
    said: dict[str, Any] = {"interval": "100ms"}
    if name is not None:
        said["scan_response"] = {"name": True}
    if uuid is not None:
        said["services"] = [uuid]
    if manufacturer:
        # The firmware sends what it is given; the first two octets are the company.
        company = int.from_bytes(manufacturer[:2].ljust(2, b"\x00"), "little")
        said["manufacturer_data"] = {f"0x{company:04X}": manufacturer[2:].hex(" ")}
    if service:
        number = int.from_bytes(service[:2].ljust(2, b"\x00"), "little")
        said["service_data"] = {f"0x{number:04X}": service[2:].hex(" ")}
    return said
