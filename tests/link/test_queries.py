"""What hosts can ask about a connection, and what they are told of its encryption."""

import asyncio

import pytest
from bumble import hci

from bletest.link.clock import run
from tests.link.support import BareHost, status_of
from tests.link.test_connections import connected

LTK = bytes(range(16))
UNKNOWN = hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
V2_EVENT = hci.HCI_Set_Event_Mask_Page_2_Command(event_mask_page_2=(1 << 25).to_bytes(8, "little"))


async def encrypt(central: BareHost, peripheral: BareHost, key: bytes = LTK) -> None:
    await central.send(
        hci.HCI_LE_Enable_Encryption_Command(
            connection_handle=1,
            random_number=bytes(8),
            encrypted_diversifier=0,
            long_term_key=LTK,
        )
    )
    await peripheral.send(
        hci.HCI_LE_Long_Term_Key_Request_Reply_Command(connection_handle=1, long_term_key=key)
    )
    await asyncio.sleep(0.1)


def about(opcode: int, *more: int, handle: int = 1) -> hci.HCI_Command:
    return hci.HCI_Command(handle.to_bytes(2, "little") + bytes(more), op_code=opcode)


def test_a_host_that_asks_for_the_newer_event_learns_the_key_size():
    async def main() -> tuple[list[int], list[int]]:
        _, central, peripheral = await connected()
        await central.send(V2_EVENT)
        await encrypt(central, peripheral)
        return (
            [e.encryption_key_size for e in central.of(hci.HCI_Encryption_Change_V2_Event)],  # type: ignore
            [e.encryption_enabled for e in peripheral.of(hci.HCI_Encryption_Change_Event)],  # type: ignore
        )

    assert run(main()) == ([16], [1])


def test_the_key_size_can_be_read_of_an_encrypted_connection_alone():
    async def main() -> list[bytes]:
        _, central, peripheral = await connected()
        answers = []
        for handle in (1, 9):
            await central.send(hci.HCI_Read_Encryption_Key_Size_Command(handle))
            answers.append(central.octets[-1][6:])
        await encrypt(central, peripheral)
        await central.send(hci.HCI_Read_Encryption_Key_Size_Command(1))
        return [*answers, central.octets[-1][6:]]

    plain = hci.HCI_ErrorCode.INSUFFICIENT_SECURITY_ERROR
    assert run(main()) == [bytes((plain, 1, 0, 0)), bytes((UNKNOWN, 9, 0, 0)), b"\0\1\0\x10"]


@pytest.mark.parametrize(
    ("opcode", "more", "answer"),
    [
        (hci.HCI_LE_READ_CHANNEL_MAP_COMMAND, (), "ffffffff1f"),
        (hci.HCI_READ_TRANSMIT_POWER_LEVEL_COMMAND, (0,), "00"),
        (hci.HCI_READ_TRANSMIT_POWER_LEVEL_COMMAND, (1,), "08"),
    ],
)
def test_channels_and_power_of_a_connection_can_be_read(opcode, more, answer):
    async def main() -> list[bytes]:
        _, central, _ = await connected()
        for handle in (1, 9):
            await central.send(about(opcode, *more, handle=handle))
        return [packet[6:] for packet in central.octets[-2:]]

    good, bad = run(main())
    assert good == b"\x00\x01\x00" + bytes.fromhex(answer)
    assert bad == bytes((UNKNOWN, 9, 0)) + bytes(len(answer) // 2)


def test_the_features_of_the_peer_can_be_read_from_both_sides():
    async def main() -> list[tuple[int, int]]:
        _, central, peripheral = await connected()
        for host in (central, peripheral):
            await host.send(hci.HCI_LE_Read_Remote_Features_Command(connection_handle=1))
        await asyncio.sleep(0.1)
        kind = hci.HCI_LE_Read_Remote_Features_Complete_Event
        found = [event for host in (central, peripheral) for event in host.of(kind)]
        unknown = await central.send(hci.HCI_LE_Read_Remote_Features_Command(connection_handle=9))
        assert status_of(unknown) == UNKNOWN
        features = central.controller.le_features
        return [(e.status, int.from_bytes(e.le_features, "little") - features) for e in found]  # type: ignore

    assert run(main()) == [(0, 0), (0, 0)]


def test_the_size_of_the_lists_and_the_power_range_can_be_read():
    async def main() -> tuple[int, int, tuple[int, int]]:
        _, central, _ = await connected()
        accept = await central.send(hci.HCI_LE_Read_Filter_Accept_List_Size_Command())
        known = await central.send(hci.HCI_LE_Read_Resolving_List_Size_Command())
        power = await central.send(hci.HCI_LE_Read_Transmit_Power_Command())
        return (
            accept.return_parameters.filter_accept_list_size,  # type: ignore[attr-defined]
            known.return_parameters.resolving_list_size,  # type: ignore[attr-defined]
            (
                power.return_parameters.min_tx_power,  # type: ignore[attr-defined]
                power.return_parameters.max_tx_power,  # type: ignore[attr-defined]
            ),
        )

    accept, known, (low, high) = run(main())
    assert accept >= 8
    assert known >= 8
    # bumble reads these as unsigned.
    assert (low, high) == (256 - 20, 8)
