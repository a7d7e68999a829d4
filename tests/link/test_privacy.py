"""Private addresses: made, changed, resolved, and what is reported of them."""

import asyncio
import random

import pytest
from bumble import hci
from hypothesis import given
from hypothesis import strategies as st

from bletest.link.clock import run
from bletest.link.privacy import is_made_with, new_resolvable_address
from bletest.link.virtual import VirtualLink
from tests.link.support import (
    BareHost,
    advertise,
    advertising_parameters,
    create_connection,
    reports,
    scan,
    status_of,
)

P = hci.Address("C0:00:00:00:00:01")
C = hci.Address("C0:00:00:00:00:AA")
P_KEY, C_KEY = bytes(range(16)), bytes(range(16, 32))
PRIVATE = hci.OwnAddressType.RESOLVABLE_OR_RANDOM
RANDOM_IDENTITY = hci.Address.RANDOM_IDENTITY_ADDRESS
ENHANCED = hci.HCI_LE_Set_Event_Mask_Command(le_event_mask=b"\xff\xff\x00\x00\x00\x00\x00\x00")
DISALLOWED = hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
INVALID = hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
UNKNOWN = hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR


def add(peer: hci.Address, peer_key: bytes, own_key: bytes) -> hci.HCI_Command:
    return hci.HCI_LE_Add_Device_To_Resolving_List_Command(
        peer_identity_address_type=peer.address_type,
        peer_identity_address=peer,
        peer_irk=peer_key,
        local_irk=own_key,
    )


def resolve(on: bool = True) -> hci.HCI_Command:
    return hci.HCI_LE_Set_Address_Resolution_Enable_Command(address_resolution_enable=int(on))


def about(opcode: int, peer: hci.Address) -> hci.HCI_Command:
    parameters = bytes((peer.address_type,)) + bytes(peer)
    return hci.HCI_Command(parameters, op_code=opcode)


async def knowing(host: BareHost, peer: hci.Address, peer_key: bytes, own_key: bytes) -> None:
    for command in (ENHANCED, add(peer, peer_key, own_key), resolve()):
        assert status_of(await host.send(command)) == 0


async def two_hosts(*, seed: int = 0) -> tuple[BareHost, BareHost]:
    """Return a central and a peripheral that know each other's keys."""
    link = VirtualLink(seed=seed)
    central = BareHost(link.new_controller("central"))
    peripheral = BareHost(link.new_controller("peripheral"))
    await knowing(central, P, P_KEY, C_KEY)
    await knowing(peripheral, C, C_KEY, P_KEY)
    return central, peripheral


async def advertise_privately(host: BareHost, **parameters: object) -> None:
    await advertise(host, str(P), own=PRIVATE, peer=C, **parameters)


@given(st.binary(min_size=16, max_size=16), st.integers())
def test_an_address_that_was_made_with_a_key_is_resolvable_by_it(key, seed):
    address = new_resolvable_address(key, random.Random(seed))
    assert address.is_resolvable
    assert is_made_with(key, address)
    assert not is_made_with(bytes(octet ^ 1 for octet in key), address)


def test_the_hash_is_that_of_the_specification():
    # Vol 3, Part H, D.7: the IRK, prand 708194 and hash 0dfbaa, all most significant octet first.
    key = bytes.fromhex("ec0234a357c8ad05341010a60a397d9b")[::-1]
    assert is_made_with(key, hci.Address("70:81:94:0D:FB:AA"))


def test_a_private_advertiser_is_reported_by_its_identity_to_who_knows_its_key():
    async def main() -> tuple[set[int], set[str], set[bool]]:
        central, peripheral = await two_hosts()
        stranger = BareHost(peripheral.controller.link.new_controller("stranger"))
        await scan(central)
        await scan(stranger)
        await advertise_privately(peripheral)
        await asyncio.sleep(1)
        found = [
            report.address
            for event in central.of(hci.HCI_LE_Advertising_Report_Event)
            for report in event.reports  # type: ignore[attr-defined]
        ]
        seen = {hci.Address(address) for _, address, _ in reports(stranger)}
        return (
            {address.address_type for address in found},
            {address.to_string(False) for address in found},
            {one.is_resolvable and is_made_with(P_KEY, one) for one in seen},
        )

    assert run(main()) == ({RANDOM_IDENTITY}, {str(P)}, {True})


def test_a_private_address_changes_when_its_time_is_over_and_stays_resolvable():
    async def main() -> tuple[list[str], list[bool]]:
        _, peripheral = await two_hosts()
        stranger = BareHost(peripheral.controller.link.new_controller("stranger"))
        await peripheral.send(
            hci.HCI_LE_Set_Resolvable_Private_Address_Timeout_Command(rpa_timeout=60)
        )
        await advertise_privately(peripheral, interval=1.0)
        await scan(stranger, active=False)
        await asyncio.sleep(170)
        seen = list(dict.fromkeys(address for _, address, _ in reports(stranger)))
        return seen, [is_made_with(P_KEY, hci.Address(address)) for address in seen]

    seen, made = run(main())
    assert len(seen) == 3
    assert all(made)
    assert run(main()) == (seen, made), "the addresses come from the seed"


def test_an_address_that_changed_while_nobody_listened_is_found():
    async def main() -> int:
        central, peripheral = await two_hosts()
        await advertise_privately(peripheral)
        await asyncio.sleep(4000)
        await central.send(hci.HCI_LE_Set_Random_Address_Command(random_address=C))
        now = await central.send(about(hci.HCI_LE_READ_PEER_RESOLVABLE_ADDRESS_COMMAND, P))
        assert status_of_octets(now) == 0
        await central.send(create_connection(P, own=PRIVATE))
        await asyncio.sleep(0.2)
        return len(central.of(hci.HCI_LE_Enhanced_Connection_Complete_Event))

    assert run(main()) == 1


def status_of_octets(event: hci.HCI_Packet) -> int:
    assert isinstance(event, hci.HCI_Command_Complete_Event)
    parameters: bytes = event.parameters
    return parameters[3]


@pytest.mark.parametrize("kind", [hci.Address.RANDOM_DEVICE_ADDRESS, RANDOM_IDENTITY])
def test_a_connection_by_identity_finds_the_private_address_and_both_hosts_learn_both(kind):
    async def main() -> list[tuple[int, str, bool, bool]]:
        central, peripheral = await two_hosts()
        await advertise_privately(peripheral)
        await central.send(hci.HCI_LE_Set_Random_Address_Command(random_address=C))
        peer = hci.Address(bytes(P), kind)
        await central.send(create_connection(peer, own=PRIVATE))
        await asyncio.sleep(0.2)
        learned = []
        for host, own_key, peer_key in ((central, C_KEY, P_KEY), (peripheral, P_KEY, C_KEY)):
            (event,) = host.of(hci.HCI_LE_Enhanced_Connection_Complete_Event)
            learned.append(
                (
                    event.peer_address_type,  # type: ignore[attr-defined]
                    event.peer_address.to_string(False),  # type: ignore[attr-defined]
                    is_made_with(own_key, event.local_resolvable_private_address),  # type: ignore
                    is_made_with(peer_key, event.peer_resolvable_private_address),  # type: ignore
                )
            )
        return learned

    assert run(main()) == [(3, str(P), True, True), (3, str(C), True, True)]


def test_the_basic_event_has_the_identity_address_as_an_ordinary_one():
    async def main() -> tuple[int, str]:
        central, peripheral = await two_hosts()
        basic = hci.HCI_LE_Set_Event_Mask_Command(le_event_mask=b"\x1f\0\0\0\0\0\0\0")
        await central.send(basic)
        await advertise_privately(peripheral)
        await central.send(hci.HCI_LE_Set_Random_Address_Command(random_address=C))
        await central.send(create_connection(P, own=PRIVATE))
        await asyncio.sleep(0.2)
        (event,) = central.of(hci.HCI_LE_Connection_Complete_Event)
        return event.peer_address_type, str(event.peer_address)  # type: ignore[attr-defined]

    assert run(main()) == (1, str(P))


def test_without_resolution_a_private_peer_is_nobody_that_is_known():
    async def main() -> int:
        central, peripheral = await two_hosts()
        await central.send(resolve(on=False))
        await advertise_privately(peripheral)
        await central.send(hci.HCI_LE_Set_Random_Address_Command(random_address=C))
        await central.send(create_connection(P, own=PRIVATE))
        await asyncio.sleep(10)
        return len(central.of(hci.HCI_LE_Enhanced_Connection_Complete_Event))

    assert run(main()) == 0


@pytest.mark.parametrize("in_list", [True, False])
def test_the_accept_list_of_a_scanner_holds_identities(in_list):
    async def main() -> int:
        central, peripheral = await two_hosts()
        listed = P if in_list else C
        await central.send(
            hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(
                address_type=listed.address_type, address=listed
            )
        )
        await advertise_privately(peripheral)
        await scan(central, active=False, policy=1)
        await asyncio.sleep(0.15)
        return min(1, len(reports(central)))

    assert run(main()) == int(in_list)


@pytest.mark.parametrize("in_list", [True, False])
def test_the_accept_list_of_an_advertiser_holds_identities(in_list):
    async def main() -> tuple[int, int]:
        central, peripheral = await two_hosts()
        listed = C if in_list else P
        await peripheral.send(
            hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(
                address_type=listed.address_type, address=listed
            )
        )
        await advertise_privately(peripheral, policy=3)
        await scan(central)
        await asyncio.sleep(0.05)
        answers = [kind for kind, *_ in reports(central)].count(4)
        await central.send(
            hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=0, filter_duplicates=0)
        )
        await central.send(create_connection(P, own=PRIVATE))
        await asyncio.sleep(1)
        return answers, len(central.of(hci.HCI_LE_Enhanced_Connection_Complete_Event))

    # The scanner goes by C itself, whose key the advertiser knows: it is not listened to.
    assert run(main()) == (0, int(in_list))


def test_in_network_privacy_mode_a_known_peer_is_not_heard_under_its_identity_address():
    async def main(device_privacy: bool) -> int:
        central, peripheral = await two_hosts()
        if device_privacy:
            await central.send(
                hci.HCI_LE_Set_Privacy_Mode_Command(
                    peer_identity_address_type=P.address_type,
                    peer_identity_address=P,
                    privacy_mode=1,
                )
            )
        await advertise(peripheral, str(P))
        await scan(central, active=False)
        await asyncio.sleep(0.15)
        return min(1, len(reports(central)))

    assert [run(main(False)), run(main(True))] == [0, 1]


def test_directed_advertising_to_a_private_address_reaches_who_has_that_key():
    async def main() -> tuple[list[str], list[str]]:
        central, peripheral = await two_hosts()
        stranger = BareHost(peripheral.controller.link.new_controller("stranger"))
        await scan(central)
        await scan(stranger)
        await advertise(peripheral, str(P), own=PRIVATE, peer=C, kind=4)
        await asyncio.sleep(0.05)
        return [address for _, address, _ in reports(central)], [
            address for _, address, _ in reports(stranger)
        ]

    assert run(main()) == ([str(P)], [])


def test_without_a_key_an_own_address_of_a_private_type_is_the_plain_one():
    async def main() -> set[str]:
        link = VirtualLink()
        host, scanner = (BareHost(link.new_controller(name)) for name in ("host", "scanner"))
        await scan(scanner)
        await advertise(host, str(P), own=PRIVATE)
        await asyncio.sleep(0.05)
        return {address for _, address, _ in reports(scanner)}

    assert run(main()) == {str(P)}


async def status_after(*commands: hci.HCI_Command) -> int:
    host = BareHost(VirtualLink().new_controller("host"))
    await host.send(hci.HCI_LE_Set_Random_Address_Command(random_address=C))
    for command in commands[:-1]:
        await host.send(command)
    event = await host.send(commands[-1])
    if isinstance(event, hci.HCI_Command_Complete_Event):
        return status_of_octets(event)
    return status_of(event)


_ADD = add(P, P_KEY, C_KEY)
_ADVERTISE = (
    advertising_parameters(),
    hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
)
_REMOVE = about(hci.HCI_LE_REMOVE_DEVICE_FROM_RESOLVING_LIST_COMMAND, P)
_PRIVACY = hci.HCI_LE_Set_Privacy_Mode_Command(
    peer_identity_address_type=1, peer_identity_address=P, privacy_mode=1
)


def timeout(seconds: int) -> hci.HCI_Command:
    return hci.HCI_LE_Set_Resolvable_Private_Address_Timeout_Command(rpa_timeout=seconds)


@pytest.mark.parametrize(
    ("commands", "status"),
    [
        ((_ADD,), 0),
        ((_ADD, _ADD), INVALID),
        (
            tuple(add(hci.Address(f"C0:00:00:00:00:{n:02X}"), P_KEY, C_KEY) for n in range(9)),
            hci.HCI_ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR,
        ),
        ((_ADD, _REMOVE), 0),
        ((_ADD, _REMOVE, _ADD), 0),
        ((_REMOVE,), UNKNOWN),
        ((_PRIVACY,), UNKNOWN),
        ((_ADD, _PRIVACY), 0),
        ((about(hci.HCI_LE_READ_LOCAL_RESOLVABLE_ADDRESS_COMMAND, P),), UNKNOWN),
        ((_ADD, about(hci.HCI_LE_READ_LOCAL_RESOLVABLE_ADDRESS_COMMAND, P)), 0),
        ((timeout(0),), INVALID),
        ((timeout(3601),), INVALID),
        ((timeout(3600),), 0),
        ((*_ADVERTISE, resolve()), DISALLOWED),
        ((*_ADVERTISE, _ADD), 0),
        ((resolve(), *_ADVERTISE, _ADD), DISALLOWED),
        ((resolve(), *_ADVERTISE, _REMOVE), DISALLOWED),
        ((resolve(), *_ADVERTISE, hci.HCI_LE_Clear_Resolving_List_Command()), DISALLOWED),
        ((_ADD, resolve(), *_ADVERTISE, _PRIVACY), DISALLOWED),
    ],
)
def test_commands_of_the_resolving_list_are_judged_as_the_specification_says(commands, status):
    assert run(status_after(*commands)) == status


def test_a_reset_forgets_keys_and_stops_resolving():
    async def main() -> tuple[int, bool]:
        central, _ = await two_hosts()
        await central.send(hci.HCI_Reset_Command())
        known = await central.send(about(hci.HCI_LE_READ_LOCAL_RESOLVABLE_ADDRESS_COMMAND, P))
        return status_of_octets(known), central.controller.resolving_list.enabled

    assert run(main()) == (UNKNOWN, False)
