"""What the exit codes of ``bletest`` mean."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The lowest number says the most about the device."""

    PASSED = 0
    DEVICE_FAULT = 1
    BENCH_TROUBLE = 2
    PROFILE_WRONG = 3
    USAGE = 4
    NOTHING_RAN = 5
