"""The guide to the code of emulated devices: what it shows runs."""

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "callbacks.md"
PROFILES = re.compile(r"```yaml\n(.*?)```\n", re.DOTALL)
EXAMPLES = re.compile(r"<!-- runs -->\n```python\n(.*?)```\n", re.DOTALL)


def test_every_example_of_the_guide_passes(pytester: pytest.Pytester) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    pytester.makefile(".yaml", thermostat=PROFILES.findall(guide)[0])
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    examples = EXAMPLES.findall(guide)
    for number, example in enumerate(examples):
        pytester.makepyfile(**{f"test_example_{number}": example})
    result = pytester.runpytest("-p", "no:randomly", "--ble-profile", "thermostat.yaml")
    result.assert_outcomes(passed="\n".join(examples).count("async def test_"))
