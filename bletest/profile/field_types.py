"""What the models of a profile are made of: readers of scalars, short forms, the base class."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from bletest.profile import scalars
from bletest.profile.mistakes import Refusal
from bletest.profile.tree import Fields, Items, Text, fields_at, items_at

SHORT_FORMS = "x-short-forms"
ITEM = {"x-item": True}
"""Stands in the short forms for the items of the list that is the full form."""

_SCALAR = ["string", "number", "boolean"]


def guard(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Hand a refusal on to pydantic with its parts."""

    def guarded(value: Any) -> Any:
        try:
            return read(value)
        except Refusal as refusal:
            raise PydanticCustomError(
                "refusal",
                "{message}",
                {"message": refusal.message, "remedy": refusal.remedy},
            ) from None

    return guarded


def read_by(read: Callable[[Any], Any], **schema: Any) -> tuple[Any, ...]:
    """Have a field read by a function; ``schema`` is what editors are told."""
    return PlainValidator(guard(read)), WithJsonSchema(schema or {"type": _SCALAR})


def integer(low: int, high: int) -> tuple[Any, ...]:
    """Have a whole number within bounds."""
    return read_by(
        lambda value: scalars.read_integer(value, low, high),
        anyOf=[
            {"type": "integer", "minimum": low, "maximum": high},
            {"type": "string", "pattern": "^[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)$"},
        ],
    )


def word(words: tuple[str, ...], what: str) -> tuple[Any, ...]:
    """Have one of some words."""
    return read_by(lambda value: scalars.read_choice(value, words, what), enum=list(words))


def refuse_later(value: Any) -> Any:
    """Refuse a key that this version cannot run."""
    del value
    raise PydanticCustomError("later", "")


def in_list(value: Any) -> Any:
    """Take a single item for a list of one."""
    if isinstance(value, list):
        return value
    items = items_at(value.place if isinstance(value, Text | Fields) else (0, 0))
    items.append(value)
    return items


def under(*keys: str) -> Callable[[Any], Any]:
    """Take anything but a mapping for one that has it under ``keys``."""

    def make(value: Any) -> Any:
        if not isinstance(value, Text | Items):
            return value
        fields = fields_at(value.place)
        fields.update((key, value) for key in keys)
        return fields

    return make


def short(*alternatives: dict[str, Any]) -> Any:
    """Note what a field accepts beside its full form; :mod:`bletest.profile.schema` unfolds it."""
    return Field(json_schema_extra={SHORT_FORMS: list(alternatives)})


Later = Annotated[
    None, PlainValidator(refuse_later), WithJsonSchema({"not": {}, "description": "comes later"})
]
"""A key that has its place in the format and that this version cannot run."""

Boolean = Annotated[bool, *read_by(scalars.read_boolean, type="boolean")]
Seconds = Annotated[
    float,
    *read_by(
        scalars.read_duration, type="string", pattern="^[0-9]+(\\.[0-9]+)?\\s*(us|ms|s|min|h)$"
    ),
]


class Shape(BaseModel):
    """A mapping of the format."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
