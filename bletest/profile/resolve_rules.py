"""From ``on_write`` to write rules."""

from collections.abc import Mapping
from dataclasses import dataclass

from bletest.profile.mistakes import KEY, Refusal, count, suggestion
from bletest.profile.model import EchoModel, EffectsModel, ReplyModel, RuleModel
from bletest.profile.resolve_names import Names, Target
from bletest.profile.resolve_parts import PartReader, remembered_names
from bletest.profile.resolve_state import States
from bletest.profile.resolve_values import resolve_value
from bletest.profile.rules import (
    NORMAL,
    Effects,
    Field,
    Pattern,
    Reboot,
    Reply,
    ReplyKind,
    ServiceChange,
    Template,
    Verify,
    WriteRule,
)
from bletest.profile.scalars import read_hex
from bletest.profile.shape import Shaped
from bletest.profile.tree import Fields, Items, Node, Path, node_at
from bletest.profile.values import PLAIN_FORMATS

_Lengths = Mapping[str, int | None]
"""Fields of a match, with their lengths in octets, None for any length."""

_VALUE_KEYS = ("bytes", "hex", "text", "value")


@dataclass(frozen=True, slots=True)
class RuleReader:
    """Reads the rules of one characteristic.

    ``targets`` are all characteristics by path, ``lengths`` the least and greatest length that a
    write to this one may have. ``modes`` are the names of those that the device can reboot into.
    """

    shaped: Shaped
    names: Names
    targets: Mapping[str, Target]
    written: Target
    lengths: tuple[int, int]
    parts: PartReader
    states: States
    services: Names
    modes: frozenset[str]

    def read(self, models: list[RuleModel]) -> tuple[WriteRule, ...]:
        """Return the rules; those with mistakes, noted, are left out."""
        rules: list[WriteRule] = []
        seen: set[bytes | Pattern | None] = set()
        for index, model in enumerate(models):
            path = (*self.written.tree_path, "on_write", index)
            rule = self._rule(model, path)
            if rule is None:
                continue
            rules.append(rule)
            if None in seen:
                self.shaped.mistake(
                    path,
                    "this rule is never reached: `otherwise` before it takes every value",
                    "move `otherwise` to the end",
                )
            elif rule.match in seen:
                self.shaped.mistake(
                    (*path, "match"),
                    "this rule is never reached: an earlier one matches the same value",
                    "remove one of the two",
                )
            if not rule.when and (rule.verify is None or rule.otherwise is not None):
                seen.add(rule.match)
        return tuple(rules)

    def _rule(self, model: RuleModel, path: Path) -> WriteRule | None:
        match: bytes | Pattern | None = None
        if model.match is not None and model.otherwise is not None:
            self.shaped.mistake(path, "a rule has `match` or `otherwise`", "remove one of the two")
            return None
        if model.match is not None:
            match = self._match(model.match, (*path, "match"))
            if match is None:
                return None
        elif model.otherwise is not True and not model.when:
            if all(self.shaped.sound(path, key) for key in ("match", "otherwise", "when")):
                self.shaped.mistake(
                    path, "this rule has no condition", "add `match: …` or `otherwise: true`"
                )
            return None
        fields = _fields_of(match)
        verify: Verify | None = None
        if model.verify is not None:
            verify = self.parts.verify(model.verify, fields, (*path, "verify"))
            if verify is None:
                return None
        effects, otherwise = self._branches(model, fields, path)
        return WriteRule(
            match=match,
            error=effects.error,
            replies=effects.replies,
            sets=effects.sets,
            expires=effects.expires,
            disconnect=effects.disconnect,
            aborts=effects.aborts,
            reboot=effects.reboot,
            services=effects.services,
            when=self.states.conditions(model.when, (*path, "when")),
            verify=verify,
            otherwise=otherwise,
        )

    def _branches(
        self, model: RuleModel, fields: _Lengths, path: Path
    ) -> tuple[Effects, Effects | None]:
        """Return the effects of a rule, and those of a `verify` that does not hold."""
        branches = {"then": model.then, "else": model.otherwise_then}
        for key, branch in branches.items():
            if branch is not None and model.verify is None and self.shaped.sound(path, "verify"):
                self.shaped.mistake(
                    (*path, key, KEY),
                    f"`{key}` follows `verify`, and there is none",
                    "write the effects beside `match`, or add `verify`",
                )
        beside = self.effects(model, fields, path)
        if model.then is None:
            effects = beside
        else:
            effects = self.effects(model.then, fields, (*path, "then"))
            if beside != Effects():
                self.shaped.mistake(
                    (*path, "then", KEY),
                    "this rule has effects under `then`, and beside it",
                    "move all of them under `then`",
                )
        if model.otherwise_then is None:
            return effects, None
        return effects, self.effects(model.otherwise_then, fields, (*path, "else"))

    def effects(self, model: EffectsModel, fields: _Lengths, path: Path) -> Effects:
        """Return the effects that stand at ``path``; ``fields`` are those of what was written."""
        self._check_effects(model, path)
        reboot = self._reboot(model, path)
        return Effects(
            error=model.error,
            replies=self._replies(model, fields, path),
            sets=self.states.settings(model.set, (*path, "set")),
            expires=model.expires,
            disconnect=(model.after or 0.0) if model.disconnect and reboot is None else None,
            aborts=model.abort,
            reboot=reboot,
            services=self._service_changes(model, path),
        )

    def _reboot(self, model: EffectsModel, path: Path) -> Reboot | None:
        if model.enter is None and model.down is None:
            return None
        mode = NORMAL if model.enter is None else model.enter
        if mode not in self.modes and mode != NORMAL:
            known = [NORMAL, *self.modes]
            self.shaped.mistake(
                (*path, "enter"),
                f"the device has no mode `{mode}`",
                suggestion(mode, known)
                if self.modes
                else f"add modes: {{{mode}: {{services: […]}}}} at the top level",
            )
        plain = Reboot()
        return Reboot(
            enter=mode,
            down=model.down or 0.0,
            after=plain.after if model.after is None else model.after,
            goodbye=model.disconnect,
        )

    def _service_changes(self, model: EffectsModel, path: Path) -> tuple[ServiceChange, ...]:
        found: list[ServiceChange] = []
        for key, names in (
            ("remove_service", model.remove_service),
            ("add_service", model.add_service),
        ):
            for index, name in enumerate(names):
                service = self.services.find(name, (*path, key, index))
                if service is not None:
                    change = ServiceChange(service, key == "add_service", model.after or 0.0)
                    found.append(change)
        return tuple(found)

    def _check_effects(self, model: EffectsModel, path: Path) -> None:
        answers = bool(model.reply) or model.echo is not None
        properties = self.written.properties
        if model.error is not None:
            if answers:
                self.shaped.mistake(
                    (*path, "error", KEY),
                    "a write that is refused has no reply",
                    "remove `error`, or the reply",
                )
            sound = self.shaped.sound(self.written.tree_path, "properties")
            if sound and properties and "write" not in properties:
                self.shaped.mistake(
                    (*path, "error", KEY),
                    "only a Write Request can be refused, and `write` is not among the properties",
                    "add write to `properties`, or remove `error`",
                )
        reboots = model.enter is not None or model.down is not None
        changes = bool(model.add_service or model.remove_service)
        if model.after is not None and not (answers or model.disconnect or reboots or changes):
            self.shaped.mistake(
                (*path, "after", KEY), "there is no reply to delay", "remove `after`"
            )
        if model.expires is not None and not model.set and not _remembers(model):
            self.shaped.mistake(
                (*path, "expires", KEY),
                "there is nothing here that could expire",
                "remove it, or `set` what is to hold for that long",
            )
        elif model.expires == 0:
            self.shaped.mistake((*path, "expires"), "that is no time at all", "such as 5s")

    def _match(self, node: Node, path: Path) -> bytes | Pattern | None:
        if isinstance(node, Items):
            pattern = self.parts.pattern(node, path)
            if pattern is not None:
                self._check_length(*pattern.lengths, path)
            return pattern
        if isinstance(node, Fields):
            resolved = resolve_value(self.shaped, self.written.typing, node, path)
            octets = None if resolved is None else resolved.octets
        else:
            try:
                octets = read_hex(node)
            except Refusal as refusal:
                self.shaped.refuse(path, refusal)
                return None
        if octets is not None:
            self._check_length(len(octets), len(octets), path)
        return octets

    def _check_length(self, least: int, most: int | None, path: Path) -> None:
        low, high = self.lengths
        if least > high or (most is not None and most < low):
            allowed = str(low) if low == high else f"{low} to {high}"
            self.shaped.mistake(
                path,
                f"this never matches: it has {count(least, 'octet')}, a write has {allowed}",
                "change `match`, or `length`",
            )

    def _replies(self, model: EffectsModel, fields: _Lengths, path: Path) -> tuple[Reply, ...]:
        found: list[Reply | None] = []
        for index, reply in enumerate(model.reply):
            found.append(self._reply(reply, fields, (*path, "reply", index), model.after))
        if model.echo is not None:
            found.append(self._reply(model.echo, fields, (*path, "echo"), model.after))
        return tuple(one for one in found if one is not None)

    def _reply(
        self, model: EchoModel, fields: _Lengths, path: Path, after: float | None
    ) -> Reply | None:
        via = self.names.find(model.via, (*path, "via"))
        target = self.targets.get(via) if via is not None else None
        if target is None:
            if isinstance(model, ReplyModel):
                self._value(model, fields, path, self.written)
            return None
        kind = self._kind(model, path, target)
        value: bytes | Template | None = None
        if isinstance(model, ReplyModel):
            value = self._value(model, fields, path, target)
            if value is None:
                return None
            octets = (
                self.parts.length_of(value, fields) if isinstance(value, Template) else len(value)
            )
            longest = min(octets or 0, model.chunk or octets or 0)
            room = target.max_length
            if longest > room and model.chunk != 0:
                self.shaped.mistake(
                    path,
                    f"this reply has {count(longest, 'octet')}, `{model.via}` holds {room}",
                    "shorten it, split it with `chunk`, or raise `length` there",
                )
        return Reply(
            via=target.path,
            value=value,
            kind=kind,
            chunk=model.chunk,
            after=model.after if model.after is not None else after or 0.0,
            within=model.within,
            subscribers=model.to == "subscribers",
        )

    def _kind(self, model: EchoModel, path: Path, target: Target) -> ReplyKind | None:
        if not self.shaped.sound(target.tree_path, "properties"):
            return None
        if not target.properties & {"notify", "indicate"}:
            self.shaped.mistake(
                (*path, "via"),
                f"`{model.via}` can neither notify nor indicate",
                "add notify to its `properties`, or answer through another characteristic",
            )
            return None
        if model.kind is None:
            return None
        kind = ReplyKind(model.kind)
        needed = "notify" if kind is ReplyKind.NOTIFICATION else "indicate"
        if needed not in target.properties:
            self.shaped.mistake(
                (*path, "as"),
                f"`{model.via}` cannot send an {kind}"
                if kind is ReplyKind.INDICATION
                else f"`{model.via}` cannot send a {kind}",
                f"add {needed} to its `properties`",
            )
        return kind

    def _value(
        self, model: ReplyModel, fields: _Lengths, path: Path, target: Target
    ) -> bytes | Template | None:
        forms = {
            "bytes": model.octets,
            "hex": model.hex,
            "text": model.text,
            "value": model.value,
        }
        given = [key for key in _VALUE_KEYS if forms[key] is not None]
        if len(given) != 1:
            if given or all(self.shaped.sound(path, key) for key in _VALUE_KEYS):
                self.shaped.mistake(
                    path if node_at(self.shaped.root, path) is not None else path[:-1],
                    "a reply has one value" if given else "this reply has no value",
                    "keep one of these keys" if given else "add bytes: …, text: … or value: …",
                )
            return None
        (key,) = given
        if key == "value":
            resolved = resolve_value(self.shaped, target.typing, forms[key], (*path, key))
            return None if resolved is None else resolved.octets
        if key == "bytes" and isinstance(forms[key], Items | Fields):
            return self.parts.template(forms[key], fields, (*path, key))
        try:
            return PLAIN_FORMATS[key].encode(forms[key])
        except Refusal as refusal:
            self.shaped.refuse((*path, key), refusal)
            return None


def _fields_of(match: bytes | Pattern | None) -> dict[str, int | None]:
    parts = match.parts if isinstance(match, Pattern) else ()
    return {one.name: one.length for one in parts if isinstance(one, Field)}


def _remembers(model: EffectsModel) -> bool:
    return any(bool(remembered_names(reply.octets)) for reply in model.reply if reply.octets)
