"""Which installed Python a profile may name."""

import sys
from pathlib import Path

import pytest

from bletest import profile
from bletest.bench.behaviours import check_registered, registered_behaviours
from bletest.bench.settings import DeviceSelector, SelectBy, Settings
from bletest.errors import BehaviourMissing, UsageMistake
from bletest.profile.spec import Profile

PROFILE = """\
bletest: 1
name: tag
device: {name: Tag}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, properties: [read], value: {hex: 00}, behaviour: NAME}
"""
MODULE = """\
import builtins
builtins.acme_was_imported = True

def counter(characteristic): ...
"""
ENTRY_POINTS = """\
[bletest.behaviours]
acme.counter = acme_ble_devices:counter
acme.broken = acme_ble_devices:nothing
[other.group]
acme.other = acme_ble_devices:counter
"""


def naming(name: str) -> Profile:
    return profile.loads(PROFILE.replace("NAME", name))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two distributions with behaviours; one says the other's name too."""
    (tmp_path / "acme_ble_devices.py").write_text(MODULE, encoding="utf-8")
    entries = {"acme-ble": ENTRY_POINTS, "evil-ble": ENTRY_POINTS.replace(":counter", ":evil")}
    for name, text in entries.items():
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n", encoding="utf-8")
        (folder / "entry_points.txt").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "acme_ble_devices", raising=False)


@pytest.mark.usefixtures("installed")
def test_nothing_is_imported_that_nobody_trusts_or_nobody_names() -> None:
    with pytest.raises(BehaviourMissing):
        check_registered(naming("acme.counter"), [])
    assert registered_behaviours(naming("acme.counter"), {}, []) == {}
    assert registered_behaviours(naming("acme.else"), {}, ["acme-ble"]) == {}
    with pytest.raises(BehaviourMissing, match=r'did you mean "acme\.counter"'):
        check_registered(naming("acme.conter"), ["acme-ble"])
    with pytest.raises(BehaviourMissing):
        check_registered(naming("acme.other"), ["acme-ble"])  # of another group
    check_registered(naming("acme.counter"), ["acme-ble"])
    assert "acme_ble_devices" not in sys.modules


@pytest.mark.usefixtures("installed")
def test_what_a_trusted_distribution_has_is_loaded_when_a_profile_names_it() -> None:
    known = registered_behaviours(naming("acme.counter"), {"my.own": print}, ["acme-ble"])
    assert known == {"my.own": print, "acme.counter": sys.modules["acme_ble_devices"].counter}


@pytest.mark.usefixtures("installed")
def test_what_is_given_goes_before_what_is_installed() -> None:
    assert registered_behaviours(naming("acme.counter"), {"acme.counter": print}, ["acme-ble"]) == {
        "acme.counter": print
    }
    assert "acme_ble_devices" not in sys.modules


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "distributions", "message"),
    [
        ("acme.counter", ["no-such-thing"], 'no distribution "no-such-thing" is installed'),
        ("acme.counter", ["acme-ble", "evil-ble"], "acme.counter is .*:counter and .*:evil"),
        ("acme.broken", ["acme-ble"], "acme.broken .*cannot be loaded: AttributeError"),
    ],
)
def test_what_cannot_be_is_told(name: str, distributions: list[str], message: str) -> None:
    with pytest.raises(UsageMistake, match=message):
        registered_behaviours(naming(name), {}, distributions)


def test_a_real_device_needs_no_behaviour() -> None:
    settings = Settings(adapter="usb:0", device=DeviceSelector(SelectBy.NAME, "Tag"))
    assert not settings.emulated
    (expected,) = naming("acme.counter").expectation.characteristics()
    assert not expected.steady
