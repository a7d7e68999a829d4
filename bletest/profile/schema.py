"""The JSON Schema of the format, for editors that complete and check while one types.

Editors read scalars with YAML's own types, so the schema is as lenient as the format: a UUID may
be a number, octets too. What the schema lets through, :func:`bletest.profile.load` still judges.
"""

import json
from typing import Any

from bletest.profile.field_types import ITEM, SHORT_FORMS
from bletest.profile.model import ProfileModel

_KEPT = ("description",)


def profile_schema() -> dict[str, Any]:
    """Return the schema as plain data."""
    schema = ProfileModel.model_json_schema(by_alias=True)
    _unfold(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "bletest profile, format version 1",
    }


def render_schema() -> str:
    """Return the text of ``docs/profile.schema.json``."""
    return json.dumps(profile_schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _unfold(schema: Any) -> None:
    """Replace the notes about short forms by ``anyOf``.

    Titles go, they repeat the keys; defaults go, they are the model's (seconds where the file has
    a duration).
    """
    if isinstance(schema, list):
        for one in schema:
            _unfold(one)
    if not isinstance(schema, dict):
        return
    short = schema.pop(SHORT_FORMS, None)
    for one in list(schema.values()):
        _unfold(one)
    for key in ("title", "default"):
        if not isinstance(schema.get(key, {}), dict):  # a mapping is the schema of a key so named
            del schema[key]
    if schema.get("default") == {}:
        del schema["default"]
    if "anyOf" in schema:  # nothing is an error, not a value
        schema["anyOf"] = [one for one in schema["anyOf"] if one != {"type": "null"}]
        if len(schema["anyOf"]) == 1:
            schema.update(schema.pop("anyOf")[0])
    if short is None:
        return
    full = {key: schema.pop(key) for key in list(schema) if key not in _KEPT}
    forms = [full["items"] if one == ITEM else one for one in short]
    schema["anyOf"] = [*forms, *(full["anyOf"] if list(full) == ["anyOf"] else [full])]
