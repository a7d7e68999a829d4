"""Devices that are laxer or stricter than their profile."""

import asyncio

import pytest

from tests.support.rich_device import Fault, change, identifiers

OURS = "read: encrypted, write: encrypted, subscribe: encrypted"
LAX = (f", {OURS}", "")
STRICT = (OURS, OURS.replace("encrypted", "authenticated"))

FAULTS = [
    change("permissions.read_unpaired", "09", LAX),
    change("permissions.write_unpaired", "accepted", LAX),
    change("permissions.subscribe_unpaired", "accepted", LAX),
    change("permissions.blob_unpaired", "PDU 0d", LAX),
    change("permissions.by_uuid_unpaired", "PDU 09", LAX),
    change("permissions.prepare_unpaired", "PDU 17", LAX),
    change("permissions.read_paired", "INSUFFICIENT_AUTHENTICATION", STRICT),
    change("permissions.write_paired", "INSUFFICIENT_AUTHENTICATION", STRICT),
    change("permissions.subscribe_paired", "INSUFFICIENT_AUTHENTICATION", STRICT),
    change("permissions.read_unauthenticated", "07 00", ("read: authenticated", "read: encrypted")),
    change(
        "permissions.write_unauthenticated",
        "accepted",
        ("write: authenticated", "write: encrypted"),
    ),
    change("permissions.read_unauthorized", "09", ("[encrypted, authorized]", "encrypted")),
    change("permissions.write_unauthorized", "accepted", (", write: authorized", "")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=identifiers(FAULTS))
def test_a_device_of_other_permissions_is_found_out(fault: Fault) -> None:
    asyncio.run(fault.judge())
