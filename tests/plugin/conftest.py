import pytest

# pytester takes away what a run inside this process imports. PyYAML's C half does not survive
# being imported twice, so what the plugin imports late is imported here, before any run.
import bletest.bench.bench
import bletest.bench.scanner
import bletest.conformance
import bletest.evidence.narration
import bletest.link.clock
import bletest.profile.loading

# The table of checks outlives a run, and the modules that enter their checks into it would not.
bletest.conformance.all_checks()

LED = """
bletest: 1
name: led
device: {name: Led}
advertising: {interval: 100ms, name: Led}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: led, properties: [read, write], value: {hex: 00}, length: 1}
      - {uuid: 0xFF02, id: button, properties: [read, notify], value: {hex: 00}, length: 1}
"""


@pytest.fixture
def led(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with a profile ``led.yaml`` and an ini file that keeps pytest-asyncio quiet."""
    pytester.makefile(".yaml", led=LED)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester
