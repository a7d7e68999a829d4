"""From ``values`` to what a schedule sends and reads are answered with, encoded beforehand."""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath

from bletest.profile.expectation import ValueExpectation
from bletest.profile.judging import mismatch
from bletest.profile.mistakes import KEY, Refusal, suggestion
from bletest.profile.model import (
    RampModel,
    ReplayModel,
    SineModel,
    SourceModel,
    WalkModel,
)
from bletest.profile.recordings import read_column, read_sent
from bletest.profile.resolve_values import ResolvedValue, Typing, resolve_value, top_fields
from bletest.profile.scalars import read_hex, read_number
from bletest.profile.shape import Shaped
from bletest.profile.sources import Constant, Numbers, Ramp, Sequence, ValueSource
from bletest.profile.tree import Fields, Path, node_at
from bletest.profile.values import Format
from bletest.uuids import Uuid

LONGEST_ROUND = 4096
"""Values of one round; all are encoded when the profile is loaded."""

_WALK = 512  # steps out; the same steps lead back, so that a round ends where it began
_KINDS = ("constant", "sequence", "ramp", "sine", "walk", "replay")


@dataclass(frozen=True, slots=True)
class SourceReader:
    """Reads the source at ``path`` of the characteristic ``uuid``.

    ``folder`` is where recordings are looked for.
    """

    shaped: Shaped
    typing: Typing
    value: ResolvedValue | None
    folder: FilePath | None
    path: Path
    uuid: Uuid

    def read(self, source: SourceModel | None, every: float | None) -> ValueSource | None:
        """Return the source of ``values``; None, with the mistake noted, if that fails.

        ``every`` is the time between two values in seconds, None where nobody knows.
        """
        given = [] if source is None else [k for k in _KINDS if getattr(source, k) is not None]
        if source is None or not given:
            return self._the_value()
        if len(given) > 1:
            self.shaped.mistake(
                (*self.path, "values"),
                f"values are a {given[0]} or a {given[1]}",
                "keep one of them",
            )
            return None
        at = (*self.path, "values", given[0])
        match given[0]:
            case "constant" | "sequence":
                return self._written(source, at)
            case "ramp" if source.ramp is not None:
                return self._ramp(source.ramp, at)
            case "sine" if source.sine is not None:
                return self._sine(source.sine, every, at)
            case "walk" if source.walk is not None:
                return self._walk(source.walk, at)
            case "replay" if source.replay is not None:
                return self._replay(source.replay, at)
        raise AssertionError(given)

    def _the_value(self) -> Constant | None:
        if self.value is not None:
            return Constant(self.value.octets)
        sound = self.shaped.sound
        if sound(self.path[:-1], "value") and sound(self.path, "values"):
            self.shaped.mistake(
                (*self.path, KEY),
                "this schedule has nothing to send",
                "add a `value` to the characteristic, or `values: {sequence: […]}`",
            )
        return None

    def _written(self, source: SourceModel, path: Path) -> Constant | Sequence | None:
        if source.constant is not None:
            resolved = resolve_value(self.shaped, self.typing, source.constant, path)
            return None if resolved is None else Constant(resolved.octets)
        items = source.sequence or []
        if not items:
            self.shaped.mistake(path, "this sequence is empty", "add values")
            return None
        found = [
            resolve_value(self.shaped, self.typing, item, (*path, index))
            for index, item in enumerate(items)
        ]
        whole = [one.octets for one in found if one is not None]
        return Sequence(tuple(whole)) if len(whole) == len(found) else None

    def _ramp(self, model: RampModel, path: Path) -> Ramp | None:
        bare = model.form == "big_endian"
        if bare and model.of:
            self.shaped.mistake(
                (*path, "of"), "a bare number takes the place of the whole value", "remove `of`"
            )
            return None
        if not bare and not self._can_number(model.of, path):
            return None
        if not self._can_step(model.step, path):
            return None
        span = abs(model.to - model.start)
        if span > model.step * LONGEST_ROUND:
            self.shaped.mistake(
                path, f"this ramp has more than {LONGEST_ROUND} values", "take a larger step"
            )
            return None
        steps = int(span / model.step + 1e-9) + 1
        sign = 1 if model.to >= model.start else -1
        numbers = (model.start + sign * index * model.step for index in range(steps))
        values = self._bare(numbers, path) if bare else self._encode(model.of, numbers, path)
        if values is None:
            return None
        return Ramp(model.of, model.start, model.to, model.step, values)

    def _sine(self, model: SineModel, every: float | None, path: Path) -> Numbers | None:
        if every is None:
            self.shaped.mistake(
                (*path, KEY), "nobody knows how often it is read", "take a ramp or a sequence"
            )
            return None
        if not self._can_number(model.of, path) or not self._can_step(model.step, path):
            return None
        if model.low >= model.high:
            self.shaped.mistake((*path, "to"), "a sine climbs from `from` to `to`", "swap them")
            return None
        count = round(model.period / every)
        if not 2 <= count <= LONGEST_ROUND:
            self.shaped.mistake(
                (*path, "period"),
                f"a period of {model.period:g} s has {count} of these values",
                f"a period has 2 to {LONGEST_ROUND} values, one each `every`",
            )
            return None
        swing = (model.high - model.low) / 2
        places = (swing * (1 + math.sin(2 * math.pi * index / count)) for index in range(count))
        numbers = (model.low + math.floor(one / model.step + 0.5) * model.step for one in places)
        return self._numbers("sine", model.of, (min(one, model.high) for one in numbers), path)

    def _walk(self, model: WalkModel, path: Path) -> Numbers | None:
        if not self._can_number(model.of, path) or not self._can_step(model.step, path):
            return None
        if not model.low <= model.start <= model.high:
            self.shaped.mistake(
                (*path, "from"), "a walk begins between `min` and `max`", "move one of the three"
            )
            return None
        chance = random.Random(model.seed)
        numbers = [model.start]
        while len(numbers) < _WALK:
            there = numbers[-1] + math.floor(chance.random() * 3 - 1) * model.step
            numbers.append(there if model.low <= there <= model.high else numbers[-1])
        return self._numbers("walk", model.of, [*numbers, *numbers[-2:0:-1]], path)

    def _replay(self, model: ReplayModel, path: Path) -> Numbers | None:
        keys = ("uuid", "handle") if model.capture is None else ("of", "column", "as")
        written = node_at(self.shaped.root, path)
        strays = [key for key in keys if isinstance(written, Fields) and key in written]
        if (model.csv is None) is (model.capture is None):
            self.shaped.mistake(
                path, "a replay is of one recording", "name it: `csv: …`, or `capture: …`"
            )
        elif strays:
            kind = "table" if model.capture is None else "capture"
            self.shaped.mistake(
                (*path, strays[0], KEY), f"`{strays[0]}` is not for a {kind}", "remove it"
            )
        elif model.csv is not None:
            return self._column(model, model.csv, path)
        elif model.capture is not None:
            return self._capture(model, model.capture, path)
        return None

    def _capture(self, model: ReplayModel, name: str, path: Path) -> Numbers | None:
        try:
            values = read_sent(self.folder, name, model.uuid or self.uuid, model.handle)
        except Refusal as refusal:
            self.shaped.refuse(path if refusal.inner else (*path, "capture"), refusal)
            return None
        return Numbers("replay", "", tuple(values))

    def _column(self, model: ReplayModel, name: str, path: Path) -> Numbers | None:
        whole = model.form == "hex"
        if whole and model.of:
            self.shaped.mistake(
                (*path, "of"), "octets take the place of the whole value", "remove `of`"
            )
            return None
        if not whole and not self._can_number(model.of, path):
            return None
        try:
            cells = read_column(self.folder, name, model.column, model.of)
        except Refusal as refusal:
            self.shaped.refuse(path if refusal.inner else (*path, "csv"), refusal)
            return None
        try:
            if whole:
                return Numbers("replay", "", tuple(read_hex(cell) for cell in cells))
            numbers = [read_number(cell) for cell in cells]
        except Refusal as refusal:
            self.shaped.mistake(
                (*path, "csv"), f"in the recording, {refusal.message}", refusal.remedy
            )
            return None
        return self._numbers("replay", model.of, numbers, path)

    def _numbers(
        self, kind: str, field: str, numbers: Iterable[float], path: Path
    ) -> Numbers | None:
        values = self._encode(field, numbers, path)
        return None if values is None else Numbers(kind, field, values)

    def _bare(self, numbers: Iterable[float], path: Path) -> tuple[bytes, ...] | None:
        """Encode numbers in the fewest of 1, 2 or 4 octets, the most significant first."""
        values = []
        for number in numbers:
            if number != int(number) or not 0 <= number <= 0xFFFFFFFF:
                self.shaped.mistake(
                    path, f"{number:g} does not fit", "whole numbers from 0 to 0xFFFFFFFF do"
                )
                return None
            size = 1 if number <= 0xFF else 2 if number <= 0xFFFF else 4
            values.append(int(number).to_bytes(size, "big"))
        return tuple(values)

    def _encode(self, field: str, numbers: Iterable[float], path: Path) -> tuple[bytes, ...] | None:
        assert self.value is not None  # _can_number said so
        kind = path[-1]
        try:
            encode, node = self.value.format.encode, self.value.node
            return tuple(encode(node, {field: _tidy(number)}) for number in numbers)
        except Refusal as refusal:
            self.shaped.mistake(
                path, f"the {kind} leaves the range: {refusal.message}", refusal.remedy
            )
            return None

    def _can_number(self, field: str, path: Path) -> bool:
        """Whether the value has the field that a source of numbers is of."""
        kind = path[-1]
        if self.value is None:
            if self.shaped.sound(self.path[:-1], "value"):
                self.shaped.mistake(
                    (*path, KEY), f"a {kind} needs a `value` to start from", "add `value: …`"
                )
            return False
        format_: Format = self.value.format
        if field in (format_.fields or ("",)):
            return True
        if not field:
            self.shaped.mistake(
                path,
                f"a value of {format_.name} has several fields",
                f"add `of: …` with one of: {', '.join(top_fields(format_))}",
            )
            return False
        fields = format_.fields
        self.shaped.mistake(
            (*path, "of"),
            f"{format_.name} has no field `{field}`",
            suggestion(field, fields) if fields else "remove `of`: it is a single value",
        )
        return False

    def _can_step(self, step: float, path: Path) -> bool:
        if step <= 0:
            words = "`from` and `to` say which way" if path[-1] == "ramp" else "such as 1"
            self.shaped.mistake((*path, "step"), "a step is greater than 0", words)
        return step > 0


def _tidy(number: float) -> float:
    """Take the dust of binary fractions off (0.1 + 0.2), and keep whole numbers whole."""
    return number if isinstance(number, int) else round(number, 9)


def check_source(
    shaped: Shaped, expectation: ValueExpectation, source: ValueSource, path: Path
) -> None:
    """Note where the emulated device would send what its own profile forbids."""
    for index, octets in enumerate(source.values):
        wrong = mismatch(expectation, octets)
        if wrong is None:
            continue
        inner: Path = ("values",)
        if isinstance(source, Sequence):
            inner = ("values", "sequence", index)
        elif isinstance(source, Ramp):
            inner = ("values", "ramp")
        elif isinstance(source, Numbers):
            inner = ("values", source.kind)
        shaped.mistake(
            (*path, *inner),
            f"one of these values does not meet `expect`: {wrong}",
            "change one of the two",
        )
        return
