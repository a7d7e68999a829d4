"""Writes what the documents repeat of the code: messages of ``docs/profiles.md``, the JSON Schema.

Run ``python -m tests.profile.documents`` after a change of messages or model. Tests compare the
files with what this module would write.
"""

import re
from pathlib import Path

from bletest.errors import ProfileError
from bletest.profile import loads
from bletest.profile.schema import render_schema

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = DOCS / "profiles.md"
SCHEMA = DOCS / "profile.schema.json"

BROKEN = re.compile(
    r"(?P<head><!-- broken: (?P<name>\S+) -->\n```yaml\n(?P<text>.*?)```\n\n```text\n)"
    r"(?P<messages>.*?)(?P<tail>\n```\n)",
    re.DOTALL,
)
SOUND = re.compile(r"<!-- loads -->\n```yaml\n(.*?)```\n", re.DOTALL)


def messages_of(text: str, name: str) -> str:
    """Return what a broken profile gives."""
    try:
        loads(text, name)
    except ProfileError as error:
        return str(error)
    raise ValueError(f"{name} is not broken")


def render_guide(guide: str) -> str:
    """Return the guide with the messages that its broken profiles give now."""
    return BROKEN.sub(
        lambda found: found["head"] + messages_of(found["text"], found["name"]) + found["tail"],
        guide,
    )


if __name__ == "__main__":
    GUIDE.write_text(render_guide(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(render_schema(), encoding="utf-8")
