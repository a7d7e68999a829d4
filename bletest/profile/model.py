"""The shape of a profile, format version 1: which keys stand where, and what each may hold.

Scalars arrive as source text (:mod:`bletest.profile.tree`) and are read here; what has to be
known of other places in the file is for :mod:`bletest.profile.resolve`. Keys of the format that
this version cannot run are in the model as :data:`Later`.
"""

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from bletest.profile import scalars
from bletest.profile.faults import FAULT_SCHEMA
from bletest.profile.field_types import ITEM, Boolean, Later, Seconds, Shape
from bletest.profile.field_types import in_list as _in_list
from bletest.profile.field_types import integer as _integer
from bletest.profile.field_types import read_by as _read_by
from bletest.profile.field_types import short as _short
from bletest.profile.field_types import under as _under
from bletest.profile.field_types import word as _word
from bletest.profile.mistakes import Refusal
from bletest.profile.model_security import SecurityModel
from bletest.profile.tree import Text
from bletest.uuids import Uuid, UuidKind

PROPERTIES = (
    "broadcast",
    "read",
    "write_without_response",
    "write",
    "notify",
    "indicate",
    "authenticated_signed_write",
    "extended_properties",
    "reliable_write",
    "writable_auxiliaries",
)
ACCESS_WORDS = ("open", "encrypted", "authenticated", "secure_connections", "authorized")
OCCASIONS = ("power_on", "disconnect")
DISCOVERABLE = ("general", "limited", "none")
_SCALAR = ["string", "number", "boolean"]
SIDE_EFFECTS = ("none", "stores", "actuates", "resets", "wears", "irreversible")


def _uuid(kind: UuidKind) -> tuple[Any, ...]:
    description = f"SIG name of a {kind}, 0x180D or 128 bits with hyphens"
    return _read_by(
        lambda value: scalars.read_uuid(value, kind),
        type=["string", "integer"],
        description=description,
    )


def _read_version(value: Any) -> int:
    text = scalars.read_text(value, "the version of the format")
    if text != "1":
        raise Refusal(
            f"`{text}` is no version of the format that can be read", "write `bletest: 1`"
        )
    return 1


def _read_device_name(value: Any) -> str:
    text = scalars.read_text(value)
    if not 1 <= len(text.encode()) <= 248:  # Vol 3, Part C, 12.1
        raise Refusal("a device name has 1 to 248 octets of UTF-8", "shorten it, or write one")
    return text


def _read_advertised_name(value: Any) -> str | bool:
    if isinstance(value, Text) and value.plain and value in ("true", "false"):
        return value == "true"
    return _read_device_name(value)


def _read_chunk(value: Any) -> int:
    return 0 if value == "mtu" else scalars.read_integer(value, 1, 512)


Name = Annotated[str, *_read_by(scalars.read_identifier)]
Word = Annotated[str, *_read_by(lambda value: scalars.read_text(value, "a word"))]
Reference = Annotated[str, *_read_by(lambda value: scalars.read_text(value, "an id"))]
Share = Annotated[
    float, *_read_by(scalars.read_percent, type="string", pattern="^[0-9]+(\\.[0-9]+)?\\s*%$")
]
Octets = Annotated[bytes, *_read_by(scalars.read_hex, type=["string", "integer", "number"])]
Number = Annotated[float, *_read_by(scalars.read_number, type=["number", "string"])]
ServiceUuid = Annotated[Uuid, *_uuid(UuidKind.SERVICE)]
CharacteristicUuid = Annotated[Uuid, *_uuid(UuidKind.CHARACTERISTIC)]
DescriptorUuid = Annotated[Uuid, *_uuid(UuidKind.DESCRIPTOR)]
Property = Annotated[str, *_word(PROPERTIES, "property")]
DescriptorProperty = Annotated[str, *_word(("read", "write"), "property of a descriptor")]
CompanyId = Annotated[int, *_integer(0, 0xFFFF)]
AdType = Annotated[int, *_integer(0x02, 0xFF)]
Value = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "{hex: …}, {text: …}, {uint8: …}, fields of the codec, or one value",
            "type": [*_SCALAR, "object", "array"],
        }
    ),
]

Behaviour = Annotated[
    str,
    *_read_by(
        scalars.read_behaviour,
        type="string",
        pattern="^[A-Za-z][A-Za-z0-9_-]*(\\.[A-Za-z][A-Za-z0-9_-]*)+$",
    ),
]
Fault = Annotated[Any, WithJsonSchema(FAULT_SCHEMA)]


class LengthModel(Shape):
    """``length: n`` or ``{min, max}``, in octets."""

    min: Annotated[int | None, *_integer(0, 512)] = None
    max: Annotated[int | None, *_integer(0, 512)] = None


class AccessModel(Shape):
    """``read: encrypted`` or ``{access, key_size, fresh}``."""

    access: Annotated[
        list[Annotated[str, *_word(ACCESS_WORDS, "permission")]],
        BeforeValidator(_in_list),
        _short(ITEM),
    ] = ["encrypted"]
    key_size: Annotated[int, *_integer(7, 16)] = 7
    fresh: Seconds | None = None


_Length = Annotated[
    LengthModel | None,
    BeforeValidator(_under("min", "max")),
    _short({"type": "integer", "minimum": 0, "maximum": 512}),
]
_Access = Annotated[
    AccessModel | None,
    BeforeValidator(_under("access")),
    _short({"enum": list(ACCESS_WORDS)}, {"type": "array", "items": {"enum": list(ACCESS_WORDS)}}),
]


class RampModel(Shape):
    """A number that climbs and starts over."""

    of: Annotated[str, *_read_by(scalars.read_text)] = ""
    start: Annotated[Number, Field(alias="from")]
    to: Number
    step: Number = 1
    form: Annotated[str, *_word(("field", "big_endian"), "form of a number"), Field(alias="as")] = (
        "field"
    )


class SineModel(Shape):
    """A number that swings between two bounds."""

    of: Annotated[str, *_read_by(scalars.read_text)] = ""
    low: Annotated[Number, Field(alias="from")]
    high: Annotated[Number, Field(alias="to")]
    period: Seconds
    step: Number = 1


class WalkModel(Shape):
    """A number that goes up or down by chance."""

    of: Annotated[str, *_read_by(scalars.read_text)] = ""
    start: Annotated[Number, Field(alias="from")]
    low: Annotated[Number, Field(alias="min")]
    high: Annotated[Number, Field(alias="max")]
    step: Number = 1
    seed: Annotated[int, *_integer(0, (1 << 32) - 1)] = 0


_FilePath = Annotated[str, *_read_by(lambda value: scalars.read_text(value, "a path"))]


class ReplayModel(Shape):
    """Values recorded in a file: a column of a table, or what a device has sent."""

    csv: _FilePath | None = None
    capture: _FilePath | None = None
    uuid: CharacteristicUuid | None = None
    handle: Annotated[int | None, *_integer(1, 0xFFFF)] = None
    of: Annotated[str, *_read_by(scalars.read_text)] = ""
    column: Annotated[str, *_read_by(lambda value: scalars.read_text(value, "a column"))] = ""
    form: Annotated[str, *_word(("number", "hex"), "form of a column"), Field(alias="as")] = (
        "number"
    )


class SourceModel(Shape):
    """Where the values of a schedule come from."""

    ramp: RampModel | None = None
    sequence: list[Value] | None = None
    constant: Value = None
    sine: SineModel | None = None
    walk: WalkModel | None = None
    replay: ReplayModel | None = None


class ReadModel(Shape):
    """What reads are answered with in place of the value."""

    values: SourceModel
    after: Annotated[int, *_integer(0, 0xFFFF)] = 0
    counts: Annotated[
        list[Annotated[str, *_word(("reads", "writes"), "kind of access")]],
        BeforeValidator(_in_list),
        _short(ITEM),
    ] = ["reads"]


class NotifyModel(Shape):
    """A schedule."""

    every: Seconds
    tolerance: Share = 0.1
    values: SourceModel | None = None


class EchoModel(Shape):
    """What was written comes back."""

    via: Reference
    kind: Annotated[
        str | None, *_word(("notification", "indication"), "kind of reply"), Field(alias="as")
    ] = None
    chunk: Annotated[
        int | None,
        *_read_by(
            _read_chunk,
            anyOf=[{"const": "mtu"}, {"type": "integer", "minimum": 1, "maximum": 512}],
        ),
    ] = None
    within: Seconds = 1.0
    after: Seconds | None = None
    to: Annotated[str, *_word(("writer", "subscribers"), "kind of receiver")] = "writer"


class ReplyModel(EchoModel):
    """A value sent in answer."""

    value: Value = None
    octets: Annotated[Value, Field(alias="bytes")] = None
    hex: Value = None
    text: Value = None


class EffectsModel(Shape):
    """What a rule does."""

    error: Annotated[int | None, *_read_by(scalars.read_error, type=["integer", "string"])] = None
    reply: Annotated[
        list[ReplyModel],
        BeforeValidator(_in_list),
        _short(ITEM),
    ] = []
    echo: EchoModel | None = None
    after: Seconds | None = None
    set: dict[Name, Word] = {}
    expires: Seconds | None = None
    disconnect: Boolean = False
    add_service: Annotated[list[Reference], BeforeValidator(_in_list), _short(ITEM)] = []
    remove_service: Annotated[list[Reference], BeforeValidator(_in_list), _short(ITEM)] = []
    enter: Name | None = None
    down: Seconds | None = None
    abort: Boolean = False


class RuleModel(EffectsModel):
    """One entry of ``on_write``."""

    match: Value = None
    otherwise: Boolean | None = None
    when: dict[Name, Annotated[list[Word], BeforeValidator(_in_list), _short(ITEM)]] = {}
    verify: Value = None
    then: EffectsModel | None = None
    otherwise_then: Annotated[EffectsModel | None, Field(alias="else")] = None


class VariableModel(Shape):
    """A variable of the state."""

    initial: Word
    scope: Annotated[str, *_word(("client", "device"), "scope")] = "client"


class RecordsModel(Shape):
    """Stored records, alike but for their sequence numbers."""

    count: Annotated[int, *_integer(1, 1000)]
    template: Value
    number: Annotated[str, *_read_by(scalars.read_text)] = "sequence_number"
    first: Annotated[int, *_integer(0, 0xFFFF), Field(alias="from")] = 0


class RecordAccessModel(Shape):
    """A Record Access Control Point."""

    via: Reference
    records: RecordsModel
    every: Seconds = 0.02


class ImageModel(Shape):
    """Octets of an image: so many of any content, those of a file, or these."""

    size: Annotated[int | None, *_integer(2, 1 << 20)] = None
    file: Annotated[str | None, *_read_by(lambda value: scalars.read_text(value, "a path"))] = None
    hex: Octets | None = None


class TransferModel(Shape):
    """A firmware-update target."""

    control: Reference
    object: Annotated[int, *_integer(2, 1 << 20)] = 4096
    receipt_every: Annotated[int, *_integer(0, 0xFFFF)] = 0
    crc: Annotated[str, *_word(("crc16", "crc32"), "checksum")] = "crc32"
    image: ImageModel
    init: ImageModel | None = None
    takes: Seconds = 0.0
    then: EffectsModel | None = None


class ProcedureModel(Shape):
    """What a control point does as a whole."""

    racp: RecordAccessModel | None = None
    transfer: TransferModel | None = None


class AttributeModel(Shape):
    """What characteristics and descriptors have in common."""

    id: Name | None = None
    value: Value = None
    expect: Value = None
    length: _Length = None
    read: _Access = None
    write: _Access = None
    side_effect: Annotated[str | None, *_word(SIDE_EFFECTS, "side effect")] = None


class DescriptorModel(AttributeModel):
    """A descriptor."""

    uuid: DescriptorUuid
    properties: list[DescriptorProperty] = ["read"]


class CharacteristicModel(AttributeModel):
    """A characteristic."""

    uuid: CharacteristicUuid
    properties: list[Property]
    subscribe: _Access = None
    notify: Annotated[
        NotifyModel | None,
        BeforeValidator(_under("every")),
        _short({"type": "string"}),
    ] = None
    on_write: list[RuleModel] | None = None
    on_read: ReadModel | None = None
    descriptors: list[DescriptorModel] = []
    control_point: Boolean = False
    procedure: ProcedureModel | None = None
    behaviour: Behaviour | None = None


class ServiceModel(Shape):
    """A service."""

    uuid: ServiceUuid
    id: Name | None = None
    primary: Boolean = True
    includes: list[Reference] = []
    characteristics: list[CharacteristicModel] = []
    present: Boolean = True


class GattModel(Shape):
    """What the GATT service offers."""

    service_changed: Boolean | None = None
    robust_caching: Boolean = False
    multiple_notifications: Boolean = False
    eatt: Boolean = False


class PreferredParametersModel(Shape):
    """The connection parameters that the device would like to have."""

    interval: Annotated[list[Seconds], Field(min_length=2, max_length=2)]
    latency: Annotated[int, *_integer(0, 499)] = 0
    supervision_timeout: Seconds = 5.0


class GapModel(Shape):
    """What the GAP service has beside name and appearance."""

    writable: list[Annotated[str, *_word(("name", "appearance"), "writable characteristic")]] = []
    preferred_parameters: PreferredParametersModel | None = None
    central_address_resolution: Boolean = False
    security_levels: Octets | None = None


class DeviceModel(Shape):
    """The device as such."""

    name: Annotated[str, *_read_by(_read_device_name)]
    appearance: Annotated[int, *_read_by(scalars.read_appearance, type=["string", "integer"])] = 0
    mtu: Annotated[int, *_integer(23, 517)] = 247
    connections: Annotated[int, *_integer(1, 20)] = 1
    address: Annotated[str | None, *_read_by(scalars.read_address, type="string")] = None
    gap: GapModel = GapModel()
    gatt: GattModel = GattModel()
    advertise_while_connected: Boolean = True
    behaviour: Behaviour | None = None


class AdvertisedModel(Shape):
    """What advertising data and scan response can both hold."""

    name: Annotated[str | bool | None, *_read_by(_read_advertised_name, type=_SCALAR)] = None
    services: list[ServiceUuid] = []
    manufacturer_data: dict[CompanyId, Octets] = {}
    service_data: dict[ServiceUuid, Octets] = {}
    tx_power: Annotated[int | None, *_integer(-127, 127)] = None
    appearance: Boolean = False
    structures: dict[AdType, Octets] = {}


class WindowModel(Shape):
    """How long it advertises, and after what."""

    length: Annotated[Seconds, Field(alias="for")]
    after: Annotated[
        list[Annotated[str, *_word(OCCASIONS, "occasion")]],
        BeforeValidator(_in_list),
        _short(ITEM),
    ] = list(OCCASIONS)


class AdvertisingModel(AdvertisedModel):
    """What the device advertises."""

    interval: Seconds = 0.1
    discoverable: Annotated[str, *_word(DISCOVERABLE, "discoverable mode")] = "general"
    connectable: Boolean = True
    scan_response: AdvertisedModel | None = None
    window: Annotated[
        WindowModel | None,
        BeforeValidator(_under("for")),
        _short({"type": "string"}),
    ] = None


class KnownIssueModel(Shape):
    """What is known to be wrong, and put up with."""

    check: Annotated[str, *_read_by(lambda value: scalars.read_text(value, "the name of a check"))]
    reason: Annotated[str, *_read_by(scalars.read_text)]
    until: Annotated[date | None, *_read_by(scalars.read_day, description="a day: 2027-03-01")] = (
        None
    )
    of: Reference | None = None


class ModeDeviceModel(Shape):
    """What is another in a mode; the rest is as ever."""

    name: Annotated[str | None, *_read_by(_read_device_name)] = None
    appearance: Annotated[
        int | None, *_read_by(scalars.read_appearance, type=["string", "integer"])
    ] = None
    mtu: Annotated[int | None, *_integer(23, 517)] = None
    address: Annotated[
        int | str | None, *_read_by(scalars.read_address_change, type=["string", "integer"])
    ] = None
    gatt: GattModel | None = None


class ModeModel(Shape):
    """The device after a reboot into other firmware."""

    device: ModeDeviceModel = ModeDeviceModel()
    advertising: AdvertisingModel | None = None
    services: list[ServiceModel]


class ProfileModel(Shape):
    """The file."""

    bletest: Annotated[int, *_read_by(_read_version, const=1)]
    name: Name
    device: DeviceModel
    advertising: AdvertisingModel = AdvertisingModel()
    security: SecurityModel | None = None
    services: list[ServiceModel]
    faults: list[Fault] = []
    state: dict[
        Name,
        Annotated[
            VariableModel,
            BeforeValidator(_under("initial")),
            _short({"type": ["string", "number"]}),
        ],
    ] = {}
    modes: dict[Name, ModeModel] = {}
    control: Later = None
    known_issues: list[KnownIssueModel] = []
