"""Which events a host wants to have (Vol 4, Part E, 7.3.1, 7.3.69 and 7.8.1)."""

DEFAULT_EVENT_MASK = 0x0000_1FFF_FFFF_FFFF
"""After a reset. It holds back LE meta events: every host of an LE controller sets its own."""

DEFAULT_EVENT_MASK_PAGE_2 = 0
DEFAULT_LE_EVENT_MASK = 0x1F

_COMMAND_COMPLETE = 0x0E
_COMMAND_STATUS = 0x0F
_COMPLETED_PACKETS = 0x13
_LE_META = 0x3E
_PAGE_2 = 0x40

# No mask holds these back: without them a host could send nothing more.
_ALWAYS = (_COMMAND_COMPLETE, _COMMAND_STATUS, _COMPLETED_PACKETS, 0xFF)


def is_masked(packet: bytes, mask: int, page_2: int, le_mask: int) -> bool:
    """Whether the host has asked not to get this event (an H4 packet)."""
    code = packet[1]
    if code == _LE_META:
        return not (mask >> (_LE_META - 1) & 1 and le_mask >> (packet[3] - 1) & 1)
    if code in _ALWAYS:
        return False
    if code >= _PAGE_2:
        return not page_2 >> (code - _PAGE_2) & 1
    return not mask >> (code - 1) & 1
