"""What a write does to the world."""

from enum import StrEnum


class SideEffect(StrEnum):
    """From harmless to final; on a real device all beyond ``stores`` need to be allowed."""

    NONE = "none"
    STORES = "stores"
    ACTUATES = "actuates"
    RESETS = "resets"
    WEARS = "wears"
    IRREVERSIBLE = "irreversible"
