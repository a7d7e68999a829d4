"""From ``on_write`` to write rules."""

from collections.abc import Mapping
from dataclasses import dataclass

from bletest.profile.mistakes import KEY, Refusal, count
from bletest.profile.model import EchoModel, ReplyModel, RuleModel
from bletest.profile.resolve_names import Names, Target
from bletest.profile.resolve_values import resolve_value
from bletest.profile.rules import Reply, ReplyKind, WriteRule
from bletest.profile.scalars import read_hex
from bletest.profile.shape import Shaped
from bletest.profile.tree import Fields, Items, Node, Path, node_at
from bletest.profile.values import PLAIN_FORMATS

_VALUE_KEYS = ("bytes", "hex", "text", "value")


@dataclass(frozen=True, slots=True)
class RuleReader:
    """Reads the rules of one characteristic.

    ``targets`` are all characteristics by path, ``lengths`` the least and greatest length that a
    write to this one may have.
    """

    shaped: Shaped
    names: Names
    targets: Mapping[str, Target]
    written: Target
    lengths: tuple[int, int]

    def read(self, models: list[RuleModel]) -> tuple[WriteRule, ...]:
        """Return the rules; those with mistakes, noted, are left out."""
        rules: list[WriteRule] = []
        seen: dict[bytes | None, int] = {}
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
            seen.setdefault(rule.match, index)
        return tuple(rules)

    def _rule(self, model: RuleModel, path: Path) -> WriteRule | None:
        match: bytes | None = None
        if model.match is not None and model.otherwise is not None:
            self.shaped.mistake(path, "a rule has `match` or `otherwise`", "remove one of the two")
            return None
        if model.match is not None:
            match = self._match(model.match, (*path, "match"))
            if match is None:
                return None
        elif model.otherwise is not True:
            if self.shaped.sound(path, "match") and self.shaped.sound(path, "otherwise"):
                self.shaped.mistake(
                    path, "this rule has no condition", "add `match: …` or `otherwise: true`"
                )
            return None
        self._check_effects(model, path)
        return WriteRule(match=match, error=model.error, replies=self._replies(model, path))

    def _check_effects(self, model: RuleModel, path: Path) -> None:
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
        if model.after is not None and not answers:
            self.shaped.mistake(
                (*path, "after", KEY), "there is no reply to delay", "remove `after`"
            )

    def _match(self, node: Node, path: Path) -> bytes | None:
        if isinstance(node, Items):
            self.shaped.mistake(
                path,
                "a `match` of several parts comes with a later version of bletest",
                "match the whole value: octets in hexadecimal, or {text: …}",
            )
            return None
        if isinstance(node, Fields):
            resolved = resolve_value(self.shaped, self.written.typing, node, path)
            octets = None if resolved is None else resolved.octets
        else:
            try:
                octets = read_hex(node)
            except Refusal as refusal:
                self.shaped.refuse(path, refusal)
                return None
        low, high = self.lengths
        if octets is not None and not low <= len(octets) <= high:
            allowed = str(low) if low == high else f"{low} to {high}"
            self.shaped.mistake(
                path,
                f"this never matches: it has {count(len(octets), 'octet')}, a write has {allowed}",
                "change `match`, or `length`",
            )
        return octets

    def _replies(self, model: RuleModel, path: Path) -> tuple[Reply, ...]:
        found: list[Reply | None] = []
        for index, reply in enumerate(model.reply):
            found.append(self._reply(reply, (*path, "reply", index), model.after))
        if model.echo is not None:
            found.append(self._reply(model.echo, (*path, "echo"), model.after))
        return tuple(one for one in found if one is not None)

    def _reply(self, model: EchoModel, path: Path, after: float | None) -> Reply | None:
        via = self.names.find(model.via, (*path, "via"))
        target = self.targets.get(via) if via is not None else None
        if target is None:
            if isinstance(model, ReplyModel):
                self._value(model, path, self.written)
            return None
        kind = self._kind(model, path, target)
        value = None
        if isinstance(model, ReplyModel):
            value = self._value(model, path, target)
            if value is None:
                return None
            longest = value if model.chunk is None else value[: model.chunk or None]
            room = target.max_length
            if len(longest) > room and model.chunk != 0:
                self.shaped.mistake(
                    path,
                    f"this reply has {count(len(longest), 'octet')}, `{model.via}` holds {room}",
                    "shorten it, split it with `chunk`, or raise `length` there",
                )
        return Reply(
            via=target.path,
            value=value,
            kind=kind,
            chunk=model.chunk,
            after=model.after if model.after is not None else after or 0.0,
            within=model.within,
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

    def _value(self, model: ReplyModel, path: Path, target: Target) -> bytes | None:
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
        if key == "bytes" and isinstance(forms[key], Items):
            self.shaped.mistake(
                (*path, key),
                "`bytes` of several parts comes with a later version of bletest",
                "write all octets in hexadecimal",
            )
            return None
        try:
            return PLAIN_FORMATS[key].encode(forms[key])
        except Refusal as refusal:
            self.shaped.refuse((*path, key), refusal)
            return None
