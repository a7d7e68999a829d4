import pytest

from bletest.bench.options import BY_NAME, OPTIONS, build_settings
from bletest.bench.settings import (
    ClockChoice,
    DeviceSelector,
    Lifetime,
    SelectBy,
    Settings,
    parse_device,
    parse_transport,
)
from bletest.contracts.capabilities import Capability
from bletest.contracts.effects import SideEffect
from bletest.errors import UsageMistake
from bletest.link.data_path import DataPath
from bletest.link.port_spec import PortSpec

HEART_RATE_STRAP = DeviceSelector(SelectBy.NAME, "HR-Strap")


class Typed:
    """Options as somebody typed them."""

    def __init__(self, **values: object) -> None:
        self._values = {name.replace("_", "-"): value for name, value in values.items()}

    def text(self, name: str) -> str:
        return str(self._values.get(name) or BY_NAME[name].default)

    def words(self, name: str) -> list[str]:
        default = [BY_NAME[name].default] if BY_NAME[name].default else []
        words = self._values.get(name, default)
        return words if isinstance(words, list) else [str(words)]

    def flag(self, name: str) -> bool:
        return bool(self._values.get(name))


def test_with_nothing_said_everything_is_virtual() -> None:
    settings = build_settings(Typed(), fallback_seed=lambda: 7)
    assert settings == Settings(seed=7)
    assert settings.real_because is None
    assert settings.emulated


def test_a_real_adapter_makes_time_real_and_says_so() -> None:
    settings = build_settings(Typed(adapter="usb:0", device="name:HR-Strap"))
    assert settings.real_because == "the adapter usb:0 is real"
    assert settings.device == HEART_RATE_STRAP


def test_the_data_path_of_the_virtual_air_can_be_chosen() -> None:
    assert build_settings(Typed(link="path=hci")).link.path is DataPath.HCI
    assert build_settings(Typed()).link.path is DataPath.SHORT


def test_a_second_client_takes_a_second_radio() -> None:
    one = build_settings(Typed(adapter=["usb:0"], device="name:HR-Strap"))
    two = build_settings(Typed(adapter=["usb:0", "usb:1"], device="name:HR-Strap"))
    assert (two.adapter, two.more_adapters) == ("usb:0", ("usb:1",))
    assert Capability.SECOND_CLIENT not in one.capabilities
    assert Capability.SECOND_CLIENT in two.capabilities
    assert Capability.SECOND_CLIENT in Settings().capabilities


def test_a_real_clock_can_be_asked_for_on_the_virtual_air() -> None:
    assert Settings(clock=ClockChoice.REAL).real_because == "--ble-clock real asks for it"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"adapter": "usbb:0"}, ["--ble-adapter", 'did you mean "usb"']),
        ({"adapter": "os"}, ["--ble-adapter", "names no transport"]),
        ({"adapter": ["usb:0", "usb:0"], "device": "name:X"}, ["usb:0 is one radio", "twice"]),
        ({"adapter": ["usb:0", "virtual"], "device": "name:X"}, ["as many radios as there are"]),
        ({"device": "HR-Strap"}, ["--ble-device", "name:NAME"]),
        ({"device": "name:"}, ["--ble-device", "name:NAME"]),
        ({"device": "name:HR-Strap"}, ["--ble-adapter is virtual"]),
        ({"emulate_on": "usb:1"}, ["--ble-emulate-on usb:1", "--ble-adapter"]),
        (
            {"adapter": "usb:0", "device": "name:X", "emulate_on": "usb:1"},
            ["give one of the two"],
        ),
        ({"link": "path=long"}, ["--ble-link", "path=long", "short, hci"]),
        ({"link": "hci"}, ["--ble-link", "path"]),
        ({"link": "speed=3"}, ["--ble-link", "speed=3", "path"]),
        ({"link": "path=hci,path=hci"}, ["--ble-link", "path is given twice"]),
        ({"clock": "fast"}, ["--ble-clock", "auto, virtual, real"]),
        (
            {"clock": "virtual", "adapter": "usb:0", "device": "name:X"},
            ["--ble-clock virtual is impossible"],
        ),
        ({"allow": ["stores,explodes"]}, ["--ble-allow", "explodes", "actuates"]),
        ({"timeout_scale": "0"}, ["--ble-timeout-scale", "above 0"]),
        ({"timeout_scale": "fast"}, ["--ble-timeout-scale", "no number"]),
        ({"seed": "dice"}, ["--ble-seed", "no number"]),
    ],
)
def test_what_makes_no_sense_is_refused_with_option_and_remedy(
    typed: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(UsageMistake) as caught:
        build_settings(Typed(**typed))
    for word in words:
        assert word in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("transport", ["usb:0", "serial:/dev/ttyACM0", "tcp-client:host:9000"])
def test_every_bumble_transport_is_an_adapter(transport: str) -> None:
    assert parse_transport("--ble-adapter", transport) == transport


def test_a_device_is_an_address_a_name_or_a_service() -> None:
    assert parse_device("--ble-device", "emulated") is None
    assert parse_device("--ble-device", "c0:11:22:33:44:5f") == DeviceSelector(
        SelectBy.ADDRESS, "C0:11:22:33:44:5F"
    )
    assert parse_device("--ble-device", "service:heart_rate") == DeviceSelector(
        SelectBy.SERVICE, "heart_rate"
    )


def test_anything_may_be_done_to_an_emulated_device() -> None:
    assert all(Settings().allows(effect) for effect in SideEffect)


def test_a_real_device_is_only_written_to_unless_more_is_allowed() -> None:
    real = Settings(adapter="usb:0", device=HEART_RATE_STRAP)
    assert [effect for effect in SideEffect if real.allows(effect)] == [
        SideEffect.NONE,
        SideEffect.STORES,
    ]
    more = Settings(adapter="usb:0", device=HEART_RATE_STRAP, allow=frozenset({SideEffect.RESETS}))
    assert more.allows(SideEffect.RESETS)
    assert more.allows(SideEffect.STORES)


def test_only_an_emulated_device_can_be_controlled() -> None:
    assert Capability.PERIPHERAL_CONTROL in Settings().capabilities
    real = Settings(adapter="usb:0", device=HEART_RATE_STRAP)
    assert Capability.PERIPHERAL_CONTROL not in real.capabilities
    assert Capability.RAW_ATT in real.capabilities


def test_every_option_says_what_it_is_for() -> None:
    assert all(option.help and option.switch.startswith("--ble-") for option in OPTIONS)
    assert len({option.key for option in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device_command": "node it.js"}, "there is no port it could use"),
        ({"hci_port": PortSpec("pty", ""), "adapter": "usb:0"}, "--ble-adapter usb:0 is not on it"),
        (
            {"hci_port": PortSpec("pty", ""), "clock": ClockChoice.VIRTUAL},
            "a host stack may attach to --ble-hci-port pty",
        ),
    ],
)
def test_ports_and_firmware_need_the_virtual_air_in_real_time(options, message):
    with pytest.raises(UsageMistake, match=message):
        Settings(**options)


def test_a_stranger_on_the_air_may_be_the_device_or_not():
    port = PortSpec("pty", "")
    stranger = DeviceSelector(SelectBy.NAME, "Bleno")
    assert not Settings(hci_port=port, device=stranger).emulated
    assert Settings(hci_port=port).emulated
    assert Capability.PRISTINE not in Settings(hci_port=port, device=stranger).capabilities
    fresh = Settings(
        hci_port=port, device=stranger, device_command="it", device_lifetime=Lifetime.TEST
    )
    assert Capability.PRISTINE in fresh.capabilities
