"""A host gets the events it has asked for, and no others (Vol 4, Part E, 7.3.1 and 7.8.1)."""

import asyncio

import pytest
from bumble import hci

from bletest.link.clock import run
from bletest.link.virtual import VirtualLink
from tests.link.support import BareHost, advertise, scan, status_of

LE_META = 1 << 61
ADVERTISING_REPORT = 1 << 1


async def reports_heard(*commands: hci.HCI_Command) -> int:
    """Send the masks after a reset, then scan; return how many reports came."""
    link = VirtualLink()
    await advertise(BareHost(link.new_controller("advertiser")), "C0:00:00:00:00:01")
    host = BareHost(link.new_controller("scanner"))
    for command in (hci.HCI_Reset_Command(), *commands):
        assert status_of(await host.send(command)) == hci.HCI_SUCCESS
    await scan(host)
    await asyncio.sleep(1)
    return len(host.of(hci.HCI_LE_Advertising_Report_Event))


def mask(bits: int) -> hci.HCI_Set_Event_Mask_Command:
    return hci.HCI_Set_Event_Mask_Command(event_mask=bits.to_bytes(8, "little"))


def le_mask(bits: int) -> hci.HCI_LE_Set_Event_Mask_Command:
    return hci.HCI_LE_Set_Event_Mask_Command(le_event_mask=bits.to_bytes(8, "little"))


@pytest.mark.parametrize(
    ("masks", "heard"),
    [
        ((), False),  # the default mask after a reset has no LE events
        ((mask(LE_META),), True),  # the default LE mask has advertising reports
        ((mask(LE_META), le_mask(ADVERTISING_REPORT)), True),
        ((mask(LE_META), le_mask(0x1F & ~ADVERTISING_REPORT)), False),
        ((mask(~LE_META & (1 << 64) - 1), le_mask(0x1F)), False),
    ],
)
def test_an_le_event_needs_its_bit_in_both_masks(masks, heard):
    assert bool(run(reports_heard(*masks))) is heard


def test_a_reset_brings_back_the_default_masks():
    assert run(reports_heard(mask(LE_META), le_mask(0x1F), hci.HCI_Reset_Command())) == 0


def test_answers_to_commands_pass_every_mask():
    async def main() -> list[int]:
        host = BareHost(VirtualLink().new_controller("it"))
        commands = [mask(0), le_mask(0), hci.HCI_Read_BD_ADDR_Command()]
        return [status_of(await host.send(command)) for command in commands]

    assert run(main()) == [0, 0, 0]
