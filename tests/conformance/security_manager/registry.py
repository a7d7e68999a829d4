"""The SM cases: the family that the modules here fill."""

from functools import partial
from pathlib import Path

from tests.conformance.family import Family, Opening
from tests.conformance.official.lab import lab


def device(security: str = "bonding: true") -> Opening:
    """Open a lab whose device has values for the encrypted, and pairs as that says."""
    return partial(
        lab,
        f"""\
bletest: 1
name: sm
device: {{name: SM, connections: 3}}
advertising: {{interval: 100ms}}
security: {{{security}}}
services:
  - uuid: 0xFF00
    characteristics:
      - {{uuid: 0xFF01, id: plain, properties: [read, write, authenticated_signed_write], value: {{text: plain}}, length: {{min: 0, max: 20}}}}
      - {{uuid: 0xFF02, id: encrypted, properties: [read], value: {{text: hidden}}, read: encrypted}}
      - {{uuid: 0xFF03, id: authenticated, properties: [read], value: {{text: secret}}, read: authenticated}}
""",  # noqa: E501
    )


SM = Family(
    "sm",
    Path(__file__).with_name("cases.yaml"),
    title="Security Manager, peripheral",
    counted="official Security Manager cases of a peripheral that it can be asked",
    words="""\
The official Security Manager cases of an LE peripheral, in
[`tests/conformance/security_manager`](../tests/conformance/security_manager), driven by raw SMP
PDUs with a cryptographic toolbox of the tester's own.""",
    opening=device(),
)
case = SM.case
