"""Who hears whom on the air: scan windows, range, RSSI, loss of advertising."""

import asyncio

import pytest
from bumble import hci

from bletest.link.clock import run
from bletest.link.model import make_model
from bletest.link.virtual import VirtualLink
from tests.link.support import BareHost, advertise, create_connection, reports, status_of
from tests.link.test_connections import P, completes, random_address, reasons
from tests.link.test_paced_connections import Clocked

ADV_IND, SCAN_RSP = 0, 4


async def scanned(
    seconds: float,
    *,
    active: bool = False,
    interval: int = 96,
    window: int = 96,
    every: float = 0.1,
    seed: int = 0,
    **model: object,
) -> tuple[list[int], Clocked, BareHost]:
    """Scan a device for so many seconds; return the types of the reports, and both hosts."""
    link = VirtualLink(seed=seed)
    link.radio.use(make_model(**model))
    device = BareHost(link.new_controller("device"))
    scanner = Clocked(link.new_controller("scanner"))
    await advertise(device, P, interval=every)
    await random_address(scanner)
    for command in (
        hci.HCI_LE_Set_Scan_Parameters_Command(
            le_scan_type=int(active),
            le_scan_interval=interval,
            le_scan_window=window,
            own_address_type=hci.OwnAddressType.RANDOM,
            scanning_filter_policy=0,
        ),
        hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0),
    ):
        assert status_of(await scanner.send(command)) == 0
    await asyncio.sleep(seconds)
    return [kind for kind, _, _ in reports(scanner)], scanner, device


def test_a_scan_that_never_pauses_hears_nearly_every_event():
    """It misses only a PDU on the border between two of its channels."""
    heard, _, _ = run(scanned(1000))
    assert len(heard) == pytest.approx(1000 / 0.1, rel=0.02)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_what_is_heard_is_in_proportion_to_the_scan_window(share):
    # An interval that has no rhythm in common with the advertiser's 100 ms.
    heard, _, _ = run(scanned(5000, interval=517, window=round(517 * share)))
    assert len(heard) == pytest.approx(share * 5000 / 0.1, rel=0.05)


def test_loss_takes_its_share_of_advertisements_and_twice_of_scan_responses():
    heard, _, _ = run(scanned(2000, active=True, loss=0.3))
    events = 2000 / 0.1
    assert heard.count(ADV_IND) == pytest.approx(0.7 * events, rel=0.03)
    assert heard.count(SCAN_RSP) == pytest.approx(0.7**3 * events, rel=0.05)


def test_the_same_seed_loses_the_same_advertisements():
    def moments(seed):
        scanner = run(scanned(20, loss=0.5, seed=seed))[1]
        return scanner.when(hci.HCI_LE_Advertising_Report_Event)

    assert moments(1) == moments(1)
    assert moments(1) != moments(2)


@pytest.mark.parametrize(
    ("model", "rssi"),
    [({}, -50), ({"rssi": -77}, -77), ({"distance": "10m"}, -60), ({"distance": 1}, -40)],
)
def test_rssi_is_what_the_model_says(model, rssi):
    _, scanner, _ = run(scanned(1, **model))
    (event, *_) = scanner.of(hci.HCI_LE_Advertising_Report_Event)
    assert event.reports[0].rssi == rssi


def test_beyond_the_range_nothing_is_heard():
    assert run(scanned(60, distance=10, range=20))[0]
    assert not run(scanned(60, distance=30, range=20))[0]


def test_moving_a_device_changes_its_rssi_and_takes_it_out_of_range():
    async def main():
        link = VirtualLink()
        link.radio.use(make_model(distance=1, range=100))
        device = BareHost(link.new_controller("device"))
        central = BareHost(link.new_controller("central"))
        await advertise(device, P)
        await random_address(central)
        await central.send(create_connection(hci.Address(P)))
        await asyncio.sleep(0.5)
        heard = []
        for metres in (None, 10, 50):
            link.place(device.controller, metres)
            answer = await central.send(hci.HCI_Read_RSSI_Command(handle=1))
            heard.append(answer.return_parameters.rssi)
        link.place(device.controller, 101)
        await asyncio.sleep(2)
        return heard, reasons(central), reasons(device)

    assert run(main()) == ([-40, -60, -74], [0x08], [0x08])


def test_nobody_connects_to_a_device_out_of_range():
    async def main():
        link = VirtualLink()
        device = BareHost(link.new_controller("device"))
        central = BareHost(link.new_controller("central"))
        await advertise(device, P)
        await random_address(central)
        link.take_out_of_range(device.controller)
        await central.send(create_connection(hci.Address(P)))
        await asyncio.sleep(5)
        before = len(completes(central))
        link.bring_back_in_range(device.controller)
        await asyncio.sleep(1)
        return before, len(completes(central))

    assert run(main()) == (0, 1)


def test_a_lost_connection_request_leaves_the_device_advertising():
    async def main(seed):
        link = VirtualLink(seed=seed)
        link.radio.use(make_model(loss=0.5, supervision_timeout="10s"))
        device = BareHost(link.new_controller("device"))
        central = BareHost(link.new_controller("central"))
        await advertise(device, P)
        await random_address(central)
        await central.send(create_connection(hci.Address(P)))
        await asyncio.sleep(5)
        return completes(central), completes(device), reasons(central), device.controller

    for seed in range(50):
        ours, theirs, ends, controller = run(main(seed))
        assert len(ours) == 1
        if not theirs:
            assert ends == [0x3E]
            assert controller.le_legacy_advertiser.enabled
            break
    else:
        raise AssertionError("no request was lost in fifty")


@pytest.mark.parametrize("when", ["before", "after"])
def test_one_more_device_does_not_change_what_happens_to_the_others(when):
    async def main(crowd):
        link = VirtualLink(seed=9)
        link.radio.use(make_model(loss=0.5))
        if crowd and when == "before":
            await advertise(BareHost(link.new_controller("another")), "C0:00:00:00:00:09")
        device = BareHost(link.new_controller("device"))
        if crowd and when == "after":
            await advertise(BareHost(link.new_controller("another")), "C0:00:00:00:00:09")
        await asyncio.sleep(1 - asyncio.get_running_loop().time())
        await advertise(device, P)
        scanner = BareHost(link.new_controller("scanner"))
        await random_address(scanner)
        command = hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0)
        await scanner.send(command)
        await asyncio.sleep(10)
        return [kind for kind, address, _ in reports(scanner) if address == P]

    alone = run(main(False))
    assert alone
    assert run(main(True)) == alone
