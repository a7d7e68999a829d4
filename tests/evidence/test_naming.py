from bletest.contracts.database import (
    RemoteCharacteristic,
    RemoteDatabase,
    RemoteDescriptor,
    RemoteService,
)
from bletest.evidence.naming import attribute_names
from bletest.profile.expectation import (
    AdvertisingExpectation,
    CharacteristicExpectation,
    DescriptorExpectation,
    DeviceExpectation,
    ServiceExpectation,
    SideEffect,
    ValueExpectation,
)
from bletest.uuids import CCCD, USER_DESCRIPTION, Uuid

VENDOR = Uuid(0xFF00)
CONTROL = Uuid(0xFF01)


def database(*, handles: bool = True) -> RemoteDatabase:
    def at(handle: int) -> int | None:
        return handle if handles else None

    return RemoteDatabase(
        (
            RemoteService(
                VENDOR,
                at(1),
                at(9),
                tuple(
                    RemoteCharacteristic(
                        CONTROL,
                        at(first),
                        at(first + 1),
                        frozenset({"read"}),
                        (
                            RemoteDescriptor(USER_DESCRIPTION, at(first + 2)),
                            RemoteDescriptor(CCCD, at(first + 3)),
                        ),
                    )
                    for first in (2, 6)
                ),
            ),
        )
    )


def characteristic(path: str, occurrence: int) -> CharacteristicExpectation:
    value = ValueExpectation()
    return CharacteristicExpectation(
        path=path,
        uuid=CONTROL,
        id=None,
        occurrence=occurrence,
        read=None,
        write=None,
        value=value,
        side_effect=SideEffect.NONE,
        service_uuid=VENDOR,
        service_occurrence=0,
        properties=frozenset({"read"}),
        subscribe=None,
        notify=None,
        rules=(),
        descriptors=(
            DescriptorExpectation(
                path=f"{path}/label",
                uuid=USER_DESCRIPTION,
                id="label",
                occurrence=0,
                read=None,
                write=None,
                value=value,
                side_effect=SideEffect.NONE,
            ),
        ),
    )


def expectation(*characteristics: CharacteristicExpectation) -> DeviceExpectation:
    return DeviceExpectation(
        name="lamp",
        device_name="Lamp",
        appearance=0,
        mtu=247,
        connections=1,
        pairing=False,
        bonding=False,
        advertising=AdvertisingExpectation(0.1, None, (), {}, {}, None),
        services=(ServiceExpectation("lamp", VENDOR, None, 0, characteristics),),
    )


def test_without_a_profile_attributes_are_called_by_their_uuids() -> None:
    names = attribute_names(database())
    assert names[1] == "0xFF00"
    assert names[2] == "0xFF00/0xFF01 (declaration)"
    assert names[3] == names[7] == "0xFF00/0xFF01"
    assert names[5] == "0xFF00/0xFF01/client_characteristic_configuration"


def test_a_profile_gives_its_paths_and_tells_repeated_uuids_apart() -> None:
    wanted = expectation(characteristic("lamp/red", 0), characteristic("lamp/green", 1))
    names = attribute_names(database(), wanted)
    assert (names[3], names[7]) == ("lamp/red", "lamp/green")
    assert names[6] == "lamp/green (declaration)"
    assert names[4] == "lamp/red/label"
    assert names[5] == "lamp/red/client_characteristic_configuration"


def test_what_the_device_lacks_is_passed_over() -> None:
    names = attribute_names(database(), expectation(characteristic("lamp/blue", 2)))
    assert "lamp/blue" not in names.values()
    assert len(names) == 9


def test_hidden_handles_have_no_names() -> None:
    assert attribute_names(database(handles=False), expectation(characteristic("x", 0))) == {}
