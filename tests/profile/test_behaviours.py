"""Names of behaviours: data, until somebody emulates the device."""

import pytest

from bletest.errors import ProfileError
from bletest.profile import loads

PROFILE = """\
bletest: 1
name: tag
device: {name: Tag, behaviour: acme.tag}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, properties: [read], value: {hex: 00}, behaviour: acme-labs.sub.count_2}
"""


def test_a_name_is_kept_with_the_mistake_that_it_may_turn_out_to_be() -> None:
    profile = loads(PROFILE, "tag.yaml")
    (found,) = profile.characteristics()
    assert profile.device.behaviour is not None
    assert found.behaviour is not None
    assert (profile.device.behaviour.name, found.behaviour.name) == (
        "acme.tag",
        "acme-labs.sub.count_2",
    )
    mistake = found.behaviour.unregistered
    assert (mistake.path, mistake.line) == ("tag.yaml", 7)
    assert mistake.source[mistake.column - 1 :].startswith("acme-labs.sub.count_2")


@pytest.mark.parametrize("name", ["tag", "acme.", ".tag", "acme.t ag", "os:system", "1.2", "a..b"])
def test_what_is_no_name_is_told(name: str) -> None:
    with pytest.raises(ProfileError, match=r"no name of a behaviour\n.*\n.*\n.*acme\.counter"):
        loads(PROFILE.replace("acme.tag", name))
