"""What an adapter or a device can do. A test asks for a capability, never for a type."""

from enum import StrEnum


class Capability(StrEnum):
    """One thing that only some adapters or devices can do."""

    RAW_ATT = "raw_att"
    PAIRING = "pairing"
    PAIRING_CHOICE = "pairing_choice"
    HANDLES = "handles"
    MTU_CHOICE = "mtu_choice"
    ALL_SERVICES = "all_services"
    PERIPHERAL_CONTROL = "peripheral_control"
    SECOND_CLIENT = "second_client"
    PRISTINE = "pristine"
    WAKE = "wake"

    @property
    def provided_by(self) -> str:
        """Say what would provide it, as the end of a sentence."""
        return _PROVIDED_BY[self]


_PROVIDED_BY = {
    Capability.RAW_ATT: "an adapter that bletest drives itself (virtual, or a bumble transport)",
    Capability.PAIRING: "an adapter that can pair without a dialogue",
    Capability.PAIRING_CHOICE: "an adapter that bletest drives itself (virtual, or a transport)",
    Capability.HANDLES: "an adapter that shows attribute handles",
    Capability.MTU_CHOICE: "an adapter that bletest drives itself (virtual, or a transport)",
    Capability.ALL_SERVICES: "an adapter that hides no services",
    Capability.PERIPHERAL_CONTROL: "an emulated device (--ble-device emulated)",
    Capability.SECOND_CLIENT: "a second radio: the virtual adapter, or --ble-adapter given twice",
    Capability.PRISTINE: "an emulated device, or --ble-device-command with "
    "--ble-device-lifetime test",
    Capability.WAKE: "an emulated device, which bletest wakes when it needs it",
}
