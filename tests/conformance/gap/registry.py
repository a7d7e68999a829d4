"""The GAP cases: the family that the modules here fill, and devices for them."""

from functools import partial
from pathlib import Path

from tests.conformance.family import Family, Opening
from tests.conformance.official.lab import lab

GAP = Family(
    "gap",
    Path(__file__).with_name("cases.yaml"),
    title="GAP, peripheral and broadcaster",
    counted="official GAP cases of a peripheral or broadcaster that it can be asked",
    words="""\
The official GAP cases of an LE peripheral or broadcaster, in
[`tests/conformance/gap`](../tests/conformance/gap), each with a device of its own profile, heard by
a plain bumble scanner or asked by a plain bumble central.""",
)
case = GAP.case

PROTECTED = """
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: plain, properties: [read, write, authenticated_signed_write], value: {text: plain}, length: {min: 0, max: 20}}
      - {uuid: 0xFF02, id: encrypted, properties: [read], value: {text: hidden}, read: encrypted}
      - {uuid: 0xFF03, id: authenticated, properties: [read], value: {text: secret}, read: authenticated}
      - {uuid: 0xFF04, id: signed, properties: [read, authenticated_signed_write], value: {text: signed}, length: {min: 0, max: 20}, write: authenticated}
"""  # noqa: E501


def device(
    advertising: str = "", security: str = "", services: str = "services: []", gap: str = ""
) -> Opening:
    """Open a lab whose device advertises every 100 ms, and what else is said in YAML."""
    return partial(
        lab,
        f"""\
bletest: 1
name: gap
device: {{name: GAP, appearance: 0x0341, connections: 3, gap: {{{gap}}}}}
advertising: {{interval: 100ms, {advertising}}}
security: {{pairing: true, {security or "bonding: true"}}}
{services}
""",
    )


protected = device(services=PROTECTED)
