"""The guide to faults tells the truth."""

import json
import re

import jsonschema
import pytest
import yaml

from bletest.profile import loads
from bletest.profile.faults import Effect, Occasion, read_fault
from tests.profile.documents import DOCS, SCHEMA
from tests.profile.test_mistakes import HEAD

GUIDE = (DOCS / "faults.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `([^`]+)` \|", GUIDE.partition("## Ten")[2].partition("\n## ")[0], re.M)


def test_there_are_ten_examples() -> None:
    assert len(EXAMPLES) == 10


@pytest.mark.parametrize("sentence", EXAMPLES)
def test_an_example_is_a_fault(sentence: str) -> None:
    assert read_fault(sentence)


def test_the_guide_names_every_occasion_and_effect() -> None:
    vocabulary = GUIDE.partition("## The vocabulary")[2]
    assert [word for word in (*Occasion, *Effect) if f"`{word}" not in vocabulary] == []


FAULTS = """\
services: []
faults:
  - read 2 answers 0x0E
  - every notification is delayed by 250ms
  - {"on": connection, nth: 1, refused: 0x3E}
  - {at: 3s, pauses: 5s}
"""


def test_the_schema_takes_what_the_loader_takes() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    text = HEAD + FAULTS
    jsonschema.validate(yaml.safe_load(text), schema)
    assert [str(one) for one in loads(text).faults] == [
        "read 2 answers 0x0E",
        "notification every delayed 0.25s",
        "connection 1 refused 0x3E",
        "at 3s pauses advertising 5s",
    ]


@pytest.mark.parametrize("fault", ["7", '{"on": reed, dropped: true}', "[read 1 dropped]"])
def test_the_schema_refuses_what_is_no_fault(fault: str) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(f"{HEAD}services: []\nfaults: [{fault}]"), schema)
