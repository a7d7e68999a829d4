"""Names of attributes: the profile's, the SIG's, and what is said of a wrong one."""

import pytest

from bletest.att.access import OPEN
from bletest.client.names import AttributeNames
from bletest.contracts.database import (
    RemoteCharacteristic,
    RemoteDatabase,
    RemoteDescriptor,
    RemoteService,
)
from bletest.errors import AttributeMissing, UnknownAttribute
from bletest.profile.expectation import (
    AdvertisingExpectation,
    CharacteristicExpectation,
    DescriptorExpectation,
    DeviceExpectation,
    ServiceExpectation,
    SideEffect,
    ValueExpectation,
)
from bletest.uuids import Uuid


def characteristic(uuid: int, handle: int, *descriptors: int) -> RemoteCharacteristic:
    return RemoteCharacteristic(
        uuid=Uuid(uuid),
        handle=handle,
        value_handle=handle + 1,
        properties=frozenset({"read"}),
        descriptors=tuple(
            RemoteDescriptor(Uuid(one), handle + 2 + number)
            for number, one in enumerate(descriptors)
        ),
    )


DATABASE = RemoteDatabase(
    (
        RemoteService(Uuid(0x180F), 1, 4, (characteristic(0x2A19, 2, 0x2902),)),
        RemoteService(
            Uuid(0xFF00),
            10,
            30,
            (
                characteristic(0xFF01, 11, 0x2901, 0x2904, 0x2904),
                characteristic(0xFF02, 16),
                characteristic(0xFF02, 18),
            ),
        ),
    )
)


def promise(
    uuid: int, path: str, *, name: str | None = None, occurrence: int = 0, descriptors=()
) -> CharacteristicExpectation:
    return CharacteristicExpectation(
        path=path,
        uuid=Uuid(uuid),
        id=name,
        occurrence=occurrence,
        read=OPEN,
        write=None,
        value=ValueExpectation(decode=lambda raw: f"decoded {raw.hex()}"),
        side_effect=SideEffect.NONE,
        service_uuid=Uuid(0xFF00),
        service_occurrence=0,
        properties=frozenset({"read"}),
        subscribe=None,
        notify=None,
        rules=(),
        descriptors=descriptors,
    )


LABEL = DescriptorExpectation(
    path="vendor/control/label",
    uuid=Uuid(0x2901),
    id="label",
    occurrence=0,
    read=OPEN,
    write=None,
    value=ValueExpectation(decode=bytes.decode),
    side_effect=SideEffect.NONE,
)

EXPECTATION = DeviceExpectation(
    name="vendor",
    device_name="Vendor",
    appearance=0,
    mtu=247,
    connections=1,
    pairing=False,
    bonding=False,
    advertising=AdvertisingExpectation(0.1, None, (), {}, {}, None),
    services=(
        ServiceExpectation(
            path="vendor",
            uuid=Uuid(0xFF00),
            id="vendor",
            occurrence=0,
            characteristics=(
                promise(0xFF01, "vendor/control", name="control", descriptors=(LABEL,)),
                promise(0xFF02, "vendor/left", name="left"),
                promise(0xFF02, "vendor/right", name="right", occurrence=1),
                promise(0xFF09, "vendor/lacking", name="lacking"),
            ),
        ),
    ),
)


@pytest.fixture
def plain() -> AttributeNames:
    return AttributeNames(DATABASE)


@pytest.fixture
def named() -> AttributeNames:
    return AttributeNames(DATABASE, EXPECTATION)


@pytest.mark.parametrize(
    "name",
    [
        "battery_level",
        "Battery Level",
        "battery/battery_level",
        "0x2a19",
        "2A19",
        "00002a19-0000-1000-8000-00805f9b34fb",
        Uuid(0x2A19),
        3,
        DATABASE.services[0].characteristics[0],
    ],
)
def test_without_a_profile_the_sigs_names_uuids_and_value_handles_lead_to_the_same(plain, name):
    found = plain.characteristic(name)
    assert found.found is DATABASE.services[0].characteristics[0]
    assert found.path == "battery/battery_level"


@pytest.mark.parametrize("name", ["control", "vendor/control", "0xFF01", Uuid(0xFF01), 12])
def test_with_a_profile_ids_and_paths_lead_there_too_and_give_the_name(named, name):
    found = named.characteristic(name)
    assert found.path == "vendor/control"
    assert found.id == "control"
    assert found.decoder is not None
    assert found.decoder(b"\x01") == "decoded 01"


def test_a_uuid_that_occurs_twice_is_told_apart_by_id_and_by_number(named, plain):
    assert named.characteristic("left").found.value_handle == 17
    assert named.characteristic("right").found.value_handle == 19
    assert plain.characteristic("0xFF00/0xFF02").found.value_handle == 17
    assert plain.characteristic("0xFF00/0xFF02#2").found.value_handle == 19


@pytest.mark.parametrize("name", ["0xFF02", Uuid(0xFF02)])
def test_a_name_that_several_share_is_refused_with_their_paths(named, name):
    with pytest.raises(
        UnknownAttribute, match="names 2 characteristics: vendor/left, vendor/right"
    ):
        named.characteristic(name)


@pytest.mark.parametrize("name", ["lacking", "vendor/lacking", "0xFF09", Uuid(0xFF09)])
def test_what_the_profile_promises_and_the_device_lacks_is_the_devices_fault(named, name):
    with pytest.raises(AttributeMissing, match="promises vendor/lacking"):
        named.characteristic(name)


@pytest.mark.parametrize(
    ("name", "suggestion"), [("batery_level", "battery_level"), ("vendor/contrl", "vendor/control")]
)
def test_a_misspelt_name_is_the_callers_mistake_with_a_suggestion(named, name, suggestion):
    with pytest.raises(UnknownAttribute) as caught:
        named.characteristic(name)
    assert f'did you mean "{suggestion}"?' in caught.value.remedy


@pytest.mark.parametrize("name", ["temperature", Uuid(0x2A6E), 99, "0x2A6E"])
def test_a_name_of_something_else_is_the_callers_mistake_too(plain, name):
    with pytest.raises(UnknownAttribute, match="is no characteristic"):
        plain.characteristic(name)


def test_an_object_of_another_database_is_refused(plain):
    with pytest.raises(UnknownAttribute, match="earlier discovery"):
        plain.characteristic(characteristic(0xFF01, 50))


@pytest.mark.parametrize(
    "name",
    [
        "label",
        "vendor/control/label",
        "control/characteristic_user_description",
        "0xFF01/0x2901",
        13,
        DATABASE.services[1].characteristics[0].descriptors[0],
    ],
)
def test_a_descriptor_has_names_of_the_same_kinds(named, name):
    found = named.descriptor(name)
    assert found.path == "vendor/control/label"
    assert found.decoder is not None
    assert found.decoder(b"x") == "x"


def test_descriptors_of_one_kind_are_numbered(plain):
    path = "0xFF00/0xFF01/characteristic_presentation_format"
    assert plain.descriptor(path).found.handle == 14
    assert plain.descriptor(f"{path}#2").found.handle == 15
    with pytest.raises(UnknownAttribute, match="names 2 descriptors"):
        plain.descriptor("0xFF01/characteristic_presentation_format")


@pytest.mark.parametrize("name", ["0xFF01/0x2999", "nowhere", 77])
def test_an_unknown_descriptor_is_the_callers_mistake(plain, name):
    with pytest.raises(UnknownAttribute, match="is no descriptor"):
        plain.descriptor(name)


def test_the_sigs_format_decodes_where_the_profile_has_none(plain):
    decoder = plain.characteristic("battery_level").decoder
    assert decoder is not None
    assert decoder(b"\x64") == 100
    assert plain.characteristic("0xFF01").decoder is None
