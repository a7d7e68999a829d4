"""The guide tells the truth, and the JSON Schema is that of the model."""

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from bletest.profile import loads, shipped
from bletest.profile.model import ProfileModel
from bletest.profile.schema import render_schema
from tests.profile.documents import BROKEN, GUIDE, SCHEMA, SOUND, render_guide
from tests.profile.test_mistakes import HEAD, SERVICES


def editor_reading(text: str) -> Any:
    """Read YAML with its own types, as an editor does; keys of JSON are strings."""

    def plain(node: Any) -> Any:
        if isinstance(node, dict):
            return {str(key): plain(value) for key, value in node.items()}
        if isinstance(node, list):
            return [plain(value) for value in node]
        return node

    return plain(yaml.safe_load(text))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_guide_shows_six_broken_profiles_with_the_messages_they_give() -> None:
    guide = GUIDE.read_text(encoding="utf-8")

    assert len(BROKEN.findall(guide)) == 6
    assert render_guide(guide) == guide


def test_every_profile_that_the_guide_shows_as_sound_loads() -> None:
    texts = SOUND.findall(GUIDE.read_text(encoding="utf-8"))

    assert [loads(text).name for text in texts] == [
        "thermometer",
        "meter",
        "permissions",
        "sources",
        "reads",
        "rules",
        "protocol",
        "self_test",
        "updatable",
        "logger",
        "meter",
        "dfu",
        "behaviours",
        "imperfect",
    ]


def test_the_guide_names_every_key_of_the_format() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    schema = ProfileModel.model_json_schema()
    shapes = (schema, *schema["$defs"].values())
    keys = {key for shape in shapes for key in shape.get("properties", {})}

    assert {"via", "of", "uuid", "bletest", "state"} <= keys
    assert {key for key in keys if not re.search(rf"\b{key}\b", guide)} == set()


def test_the_schema_on_file_is_that_of_the_model() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == render_schema()


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_profile_validates_against_the_schema(
    name: str, validator: jsonschema.Draft202012Validator
) -> None:
    text = shipped()[name].read_text(encoding="utf-8")

    assert [error.message for error in validator.iter_errors(editor_reading(text))] == []


@pytest.mark.parametrize("number", range(13))
def test_a_profile_of_the_guide_validates_against_the_schema(
    number: int, validator: jsonschema.Draft202012Validator
) -> None:
    text = SOUND.findall(GUIDE.read_text(encoding="utf-8"))[number]

    assert [error.message for error in validator.iter_errors(editor_reading(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + "services: []\nmodes: {a: 1}",
        HEAD + "services: []\nsecurity: {io: keyboard}",
        HEAD + "services: []\nadvertising: {interval: 100}",
        SERVICES + "      - {uuid: 0xFF01, properties: [notfy]}",
        SERVICES + "      - {uuid: 0xFF01, properties: [write], length: 600}",
        SERVICES + "      - {uuid: 0xFF01, properties: [write], on_write: [{reply: 1}]}",
    ],
)
def test_the_schema_refuses_what_has_the_wrong_shape(
    text: str, validator: jsonschema.Draft202012Validator
) -> None:
    assert list(validator.iter_errors(editor_reading(text)))
