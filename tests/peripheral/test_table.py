"""From a profile to what the server of its device takes."""

from bletest import profile
from bletest.att.access import LinkSecurity
from bletest.att.server import Server
from bletest.peripheral.table import build_table

RELIABLE = """
bletest: 1
name: reliable
device: {name: Reliable}
services:
  - uuid: 0xFF00
    characteristics:
      - uuid: 0xFF01
        properties: [read, reliable_write]
        value: {text: before}
        length: 6
"""


class Silent:
    def read(self, request):
        return None

    def write(self, request):
        return None


def test_a_value_that_has_reliable_writes_alone_takes_prepared_ones():
    table, by_path = build_table(profile.loads(RELIABLE), lambda _: Silent())
    (value,) = (one.value for one in by_path.values())
    bearer = Server(table).connect("phone", LinkSecurity())
    prepare = b"\x16" + value.handle.to_bytes(2, "little") + b"\x00\x00" + b"after."
    assert bearer.receive(prepare, 0.0) == b"\x17" + prepare[1:]
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    assert value.value == b"after."
