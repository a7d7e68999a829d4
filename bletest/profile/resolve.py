"""From the model of a file to a :class:`~bletest.profile.spec.Profile`: what keys mean together.

Mistakes are noted and resolving goes on, so that one run finds all of them. What depends on a
part that had to be cut out is not judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from types import MappingProxyType

from bletest.profile.advertising import advertising_spec, gap_spec
from bletest.profile.expectation import (
    AdvertisingExpectation,
    CharacteristicExpectation,
    DeviceExpectation,
    ModeExpectation,
    NotifyExpectation,
    ServiceExpectation,
    SideEffect,
)
from bletest.profile.mistakes import KEY, Refusal
from bletest.profile.model import (
    CharacteristicModel,
    ServiceModel,
    TransferModel,
)
from bletest.profile.procedures import RecordAccess, Transfer, expectation_of
from bletest.profile.resolve_attributes import AttributeReader, Common
from bletest.profile.resolve_behaviours import read_behaviour
from bletest.profile.resolve_descriptors import DescriptorReader
from bletest.profile.resolve_faults import read_faults
from bletest.profile.resolve_known_issues import read_known_issues
from bletest.profile.resolve_modes import mode_part, normal_part
from bletest.profile.resolve_names import Target, name_everything
from bletest.profile.resolve_parts import PartReader, remembered_names
from bletest.profile.resolve_procedures import read_procedure
from bletest.profile.resolve_reads import read_answers
from bletest.profile.resolve_rules import RuleReader
from bletest.profile.resolve_security import read_security
from bletest.profile.resolve_sources import SourceReader, check_source
from bletest.profile.resolve_state import States, read_states
from bletest.profile.resolve_transfer import (
    expecting,
    read_transfer,
    serving,
    transfers_by_control,
)
from bletest.profile.resolve_values import Typing
from bletest.profile.rules import ReplyKind, WriteRule
from bletest.profile.scalars import read_integer, read_uuid
from bletest.profile.shape import Shaped
from bletest.profile.spec import (
    MAXIMUM_LENGTH,
    AdvertisingSpec,
    CharacteristicSpec,
    DeviceSpec,
    GattSpec,
    ModeSpec,
    NotifySpec,
    Profile,
    ServiceSpec,
)
from bletest.profile.tree import Fields, Path, node_at
from bletest.uuids import (
    GAP_SERVICE,
    GATT_SERVICE,
    UuidKind,
)

_WRITES = frozenset(
    {"write", "write_without_response", "authenticated_signed_write", "reliable_write"}
)
_SENDS = frozenset({"notify", "indicate"})
_EXTENDED = frozenset({"reliable_write", "writable_auxiliaries"})


def resolve(shaped: Shaped, source: FilePath | None) -> Profile | None:
    """Return the profile; None, or one to be thrown away, where mistakes were noted."""
    model = shaped.model
    if model is None:
        return None
    names = frozenset(model.modes)
    states = read_states(shaped, model)
    modes: dict[str, ModeSpec] = {}
    for name, mode in model.modes.items():
        part = mode_part(shaped, name)
        found = _Resolver(part, source, states, names).profile()
        if found is not None:
            modes[name] = ModeSpec(found, mode.device.address or 0)
    return _Resolver(normal_part(shaped), source, states, names, modes).profile()


class _Resolver:
    """Resolves one file, or one mode of it; ``names`` are those of all modes."""

    def __init__(
        self,
        shaped: Shaped,
        source: FilePath | None,
        states: States,
        names: frozenset[str],
        modes: Mapping[str, ModeSpec] = MappingProxyType({}),
    ) -> None:
        assert shaped.model is not None  # who has no model is not resolved
        self.shaped = shaped
        self.source = source
        self.model = model = shaped.model
        self.mode_names = names
        self.modes = modes
        self.naming = name_everything(shaped, model)
        self.attributes = AttributeReader(shaped, model)
        self.descriptors = DescriptorReader(shaped, model, self.naming, self.attributes)
        self.states = replace(states, shaped=shaped)
        self.parts = PartReader(shaped, remembered_names(shaped.root))

    @property
    def _folder(self) -> FilePath | None:
        return self.source.parent if self.source is not None else None

    def profile(self) -> Profile | None:
        """Resolve everything."""
        model = self.model
        security = read_security(self.shaped, model.security)
        services: list[ServiceSpec] = []
        expected: list[ServiceExpectation] = []
        absent: list[ServiceExpectation] = []
        for index, service in enumerate(model.services):
            spec, expectation = self._service(index, service)
            services.append(spec)
            if service.primary:
                (expected if service.present else absent).append(expectation)
        self._check_presence(services)
        transfers = transfers_by_control(self.shaped, services)
        services = serving(services, transfers)
        expected, absent = expecting(expected, transfers), expecting(absent, transfers)
        self._check_records(services, expected)
        faults = read_faults(self.shaped, self.naming, model.faults)
        known_issues = read_known_issues(self.shaped, self.naming, model.known_issues)
        advertising = self._advertising()
        if advertising is None:
            return None
        gatt = self._gatt()
        device = DeviceSpec(
            name=model.device.name,
            appearance=model.device.appearance,
            mtu=model.device.mtu,
            connections=model.device.connections,
            address=model.device.address,
            advertise_while_connected=model.device.advertise_while_connected,
            behaviour=read_behaviour(self.shaped, model.device.behaviour, ("device", "behaviour")),
            gap=gap_spec(model.device.gap),
            gatt=gatt,
        )
        expectation_ = DeviceExpectation(
            name=model.name,
            device_name=device.name,
            appearance=device.appearance,
            mtu=device.mtu,
            connections=device.connections,
            pairing=security.pairing,
            bonding=security.bonding,
            advertising=AdvertisingExpectation(
                interval=advertising.interval,
                name=advertising.name,
                services=advertising.services,
                manufacturer_data=advertising.manufacturer_data,
                service_data=advertising.service_data,
                tx_power=advertising.tx_power,
                window=advertising.window,
                connectable=advertising.connectable,
            ),
            services=tuple(expected),
            state=self.states.variables,
            advertise_while_connected=device.advertise_while_connected,
            security=security,
            absent=tuple(absent),
            modes={
                name: ModeExpectation(name, mode.profile.expectation, mode.address)
                for name, mode in self.modes.items()
            },
            service_changed=gatt.service_changed,
            database_hash=gatt.robust_caching,
        )
        return Profile(
            name=model.name,
            source=self.source,
            device=device,
            advertising=advertising,
            security=security,
            services=tuple(services),
            expectation=expectation_,
            faults=faults,
            state=self.states.variables,
            known_issues=known_issues,
            modes=self.modes,
        )

    def _transfer(self, model: TransferModel, path: Path, owner: Target) -> Transfer | None:
        rules = self._rule_reader(owner, (0, MAXIMUM_LENGTH))
        return read_transfer(
            self.shaped,
            self.naming,
            owner,
            model,
            path,
            folder=self.source.parent if self.source is not None else None,
            effects=lambda effects, at: rules.effects(effects, {}, at),
        )

    def _check_presence(self, services: list[ServiceSpec]) -> None:
        """Note where a service that is there includes one that is not."""
        gone = {one.path for one in services if not one.present}
        for number, service in enumerate(services):
            missing = [path for path in service.includes if path in gone]
            if missing and service.present:
                self.shaped.mistake(
                    ("services", number, "includes"),
                    f"this includes {missing[0]}, which is not there from the beginning",
                    "add `present: false` here too, or remove it there",
                )

    def _check_records(
        self, services: list[ServiceSpec], expected: list[ServiceExpectation]
    ) -> None:
        """Note where stored records are not what their characteristic is held to."""
        values = {one.path: one.value for service in expected for one in service.characteristics}
        for number, service in enumerate(services):
            for index, one in enumerate(service.characteristics):
                if not isinstance(one.procedure, RecordAccess) or one.procedure.via not in values:
                    continue
                records = one.procedure.records
                found = (values[one.procedure.via].mismatch(record.value) for record in records)
                wrong = next((problem for problem in found if problem is not None), None)
                if wrong is not None:
                    at: Path = ("services", number, "characteristics", index)
                    self.shaped.mistake(
                        (*at, "procedure", "racp", "records", "template"),
                        f"a record does not meet what `{one.procedure.via}` is held to: {wrong}",
                        "change one of the two",
                    )

    def _advertising(self) -> AdvertisingSpec | None:
        interval = self.model.advertising.interval
        if not 0.02 <= interval <= 10.24:  # Vol 4, Part E, 7.8.5
            self.shaped.mistake(
                ("advertising", "interval"),
                f"an advertising interval of {interval:g} s is out of range",
                "from 20ms to 10.24s",
            )
        window = self.model.advertising.window
        if window is not None and window.length < interval:
            self.shaped.mistake(
                ("advertising", "window"),
                f"a window of {window.length:g} s is shorter than the advertising interval",
                "such as window: {for: 30s}",
            )
        for path in (("advertising",), ("advertising", "scan_response")):
            self._check_once(
                (*path, "manufacturer_data"), lambda name: read_integer(name, 0, 0xFFFF)
            )
            self._check_once(
                (*path, "service_data"), lambda name: read_uuid(name, UuidKind.SERVICE)
            )
        try:
            return advertising_spec(self.model)
        except Refusal as refusal:
            at: Path = ("advertising", *refusal.inner)
            if at[-1] == "name" and node_at(self.shaped.root, at) is None:
                at = ("device", "name")
            if self.shaped.sound((), "device") and self.shaped.sound((), "advertising"):
                self.shaped.mistake(at, refusal.message, refusal.remedy)
            return None

    def _check_once(self, path: Path, read: Callable[[str], object]) -> None:
        """Note keys that are the same, spelled in two ways."""
        node = node_at(self.shaped.root, path)
        seen: set[object] = set()
        for name in node if isinstance(node, Fields) else ():
            if read(name) in seen:
                self.shaped.mistake(
                    (*path, name, KEY),
                    f"`{name}` is here a second time, written differently",
                    "remove one of the two",
                )
            seen.add(read(name))

    def _gatt(self) -> GattSpec:
        model = self.model.device.gatt
        if model.robust_caching and model.service_changed is False:
            # A bonded client could not be told that its picture is out of date.
            self.shaped.mistake(
                ("device", "gatt", "service_changed"),
                "robust caching needs Service Changed",
                "remove `service_changed: false`",
            )
        return GattSpec(
            service_changed=bool(model.service_changed) or model.robust_caching,
            robust_caching=model.robust_caching,
            multiple_notifications=model.multiple_notifications,
            eatt=model.eatt,
        )

    def _service(self, number: int, model: ServiceModel) -> tuple[ServiceSpec, ServiceExpectation]:
        at: Path = ("services", number)
        path = self.naming.paths["services", number]
        if model.uuid in (GAP_SERVICE, GATT_SERVICE):
            self.shaped.mistake(
                (*at, "uuid"),
                f"every device has {model.uuid.label}; a profile does not list it",
                "name and appearance stand under `device`",
            )
        includes = [
            found
            for index, name in enumerate(model.includes)
            if (found := self.naming.services.find(name, (*at, "includes", index))) is not None
        ]
        if path in includes:
            self.shaped.mistake((*at, "includes"), "a service cannot include itself", "remove it")
        # What is added later stands behind what was there before.
        before = self.model.services[:number]
        earlier = [one for one in (before if model.present else self.model.services) if one.present]
        if not model.present:
            earlier += [one for one in before if not one.present]
        occurrence = sum(one.uuid == model.uuid for one in earlier if one.primary)
        pairs = [
            self._characteristic(number, index, model, occurrence)
            for index in range(len(model.characteristics))
        ]
        spec = ServiceSpec(
            path=path,
            uuid=model.uuid,
            id=model.id,
            characteristics=tuple(one for one, _ in pairs),
            primary=model.primary,
            includes=tuple(includes),
            present=model.present,
        )
        expectation = ServiceExpectation(
            path=path,
            uuid=model.uuid,
            id=model.id,
            occurrence=occurrence,
            characteristics=tuple(one for _, one in pairs),
        )
        return spec, expectation

    def _characteristic(
        self, number: int, index: int, service: ServiceModel, service_occurrence: int
    ) -> tuple[CharacteristicSpec, CharacteristicExpectation]:
        model = service.characteristics[index]
        at: Path = ("services", number, "characteristics", index)
        path = self.naming.paths[at]
        target = self.naming.targets[path]
        properties = self._properties(model, at)
        common = self.attributes.common(model, target.typing, at)
        read = self.attributes.access(at, "read", model.read, "read" in properties, "read")
        writes = bool(properties & _WRITES)
        write = self.attributes.access(at, "write", model.write, writes, "write")
        sends = bool(properties & _SENDS)
        subscribe = self.attributes.access(at, "subscribe", model.subscribe, sends, "notify")
        if read is not None and model.value is None and self.shaped.sound(at, "value"):
            self.shaped.mistake(
                at, "this characteristic can be read, but has no value", "add `value: …`"
            )
        if model.procedure is not None and model.on_write is not None:
            self.shaped.mistake(
                (*at, "procedure", KEY),
                "a procedure decides about every write, beside it there are no rules",
                "remove `on_write`, or `procedure`",
            )
        if model.control_point and model.on_write is None:
            self.shaped.mistake(
                (*at, "control_point", KEY),
                "a control point decides by rules, and there are none",
                "add `on_write`, or remove it",
            )
        procedure = read_procedure(
            self.shaped,
            self.naming.characteristics,
            self.naming.targets,
            target,
            model.procedure,
            lambda transfer, path: self._transfer(transfer, path, target),
        )
        rules = self._rules(model, target, common, writes)
        notify = self._notify(model, target.typing, common, properties, at)
        on_read = read_answers(self.shaped, model, target, common, read is not None, self._folder)
        effect = self.attributes.side_effect(model, at, read, write)
        if model.side_effect is None and any(_reboots(rule) for rule in rules):
            effect = SideEffect.RESETS
        if model.side_effect is None and isinstance(procedure, Transfer):
            effect = SideEffect.WEARS
        descriptors = [
            self.descriptors.read(number, index, place, properties)
            for place in range(len(model.descriptors))
        ]
        octets = common.value.octets if common.value is not None else b""
        spec = CharacteristicSpec(
            path=path,
            uuid=model.uuid,
            id=model.id,
            service=self.naming.paths["services", number],
            properties=properties,
            value=octets,
            read=read,
            write=write,
            subscribe=subscribe,
            min_length=common.min_length,
            max_length=common.max_length,
            notify=notify,
            rules=rules,
            descriptors=tuple(one for one, _ in descriptors),
            side_effect=effect,
            procedure=procedure,
            on_read=on_read,
            behaviour=read_behaviour(self.shaped, model.behaviour, (*at, "behaviour")),
            control_point=model.control_point,
        )
        earlier = service.characteristics[:index]
        expectation = CharacteristicExpectation(
            path=path,
            uuid=model.uuid,
            id=model.id,
            occurrence=sum(one.uuid == model.uuid for one in earlier),
            read=read,
            write=write,
            value=common.expectation,
            side_effect=effect,
            service_uuid=service.uuid,
            service_occurrence=service_occurrence,
            properties=properties,
            subscribe=subscribe,
            notify=NotifyExpectation(notify.every, notify.tolerance) if notify else None,
            rules=rules,
            descriptors=tuple(one for _, one in descriptors),
            steady=model.on_read is None and model.behaviour is None,
            procedure=expectation_of(procedure),
            control_point=model.control_point,
        )
        return spec, expectation

    def _properties(self, model: CharacteristicModel, at: Path) -> frozenset[str]:
        for index, name in enumerate(model.properties):
            if name in model.properties[:index]:
                self.shaped.mistake(
                    (*at, "properties", index), f"`{name}` is here a second time", "remove it"
                )
        properties = frozenset(model.properties)
        return properties | {"extended_properties"} if properties & _EXTENDED else properties

    def _rules(
        self, model: CharacteristicModel, target: Target, common: Common, writes: bool
    ) -> tuple[WriteRule, ...]:
        if model.on_write is None:
            return ()
        if not writes and self.shaped.sound(target.tree_path, "properties"):
            self.shaped.mistake(
                (*target.tree_path, "on_write", KEY),
                "`on_write` needs a characteristic that can be written",
                "add write or write_without_response to `properties`",
            )
        lengths = (common.min_length, common.max_length)
        return self._rule_reader(target, lengths).read(model.on_write)

    def _rule_reader(self, target: Target, lengths: tuple[int, int]) -> RuleReader:
        return RuleReader(
            self.shaped,
            self.naming.characteristics,
            self.naming.targets,
            target,
            lengths,
            self.parts,
            self.states,
            self.naming.services,
            self.mode_names,
        )

    def _notify(
        self,
        model: CharacteristicModel,
        typing: Typing,
        common: Common,
        properties: frozenset[str],
        at: Path,
    ) -> NotifySpec | None:
        if model.notify is None:
            return None
        path = (*at, "notify")
        if not properties & _SENDS:
            if self.shaped.sound(at, "properties"):
                self.shaped.mistake(
                    (*path, KEY),
                    "a schedule needs a characteristic that notifies or indicates",
                    "add notify to `properties`",
                )
            return None
        if model.notify.every <= 0:
            self.shaped.mistake((*path, "every"), "a period is longer than that", "such as 1s")
            return None
        if model.value is not None and common.value is None:
            return None  # the value's own mistake
        reader = SourceReader(self.shaped, typing, common.value, self._folder, path, model.uuid)
        source = reader.read(model.notify.values, model.notify.every)
        if source is None:
            return None
        check_source(self.shaped, common.expectation, source, path)
        return NotifySpec(
            every=model.notify.every,
            tolerance=model.notify.tolerance,
            values=source,
            kind=ReplyKind.NOTIFICATION if "notify" in properties else ReplyKind.INDICATION,
        )


def _reboots(rule: WriteRule) -> bool:
    branch = rule.otherwise
    return rule.reboot is not None or (branch is not None and branch.reboot is not None)
