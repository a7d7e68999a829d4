import pytest

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
