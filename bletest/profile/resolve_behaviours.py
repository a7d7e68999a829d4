"""From ``behaviour`` to a name that whoever emulates the device has to know."""

from bletest.profile.shape import Shaped
from bletest.profile.spec import BehaviourSpec
from bletest.profile.tree import Path


def read_behaviour(shaped: Shaped, name: str | None, path: Path) -> BehaviourSpec | None:
    """Return the behaviour named at ``path``, None where none is."""
    if name is None:
        return None
    mistake = shaped.mistake_at(
        path,
        f"the behaviour `{name}` is registered nowhere",
        "a profile imports nothing: register it in the fixture ble_behaviours, or name the "
        "installed distribution that has it with --ble-behaviours",
    )
    return BehaviourSpec(name, mistake)
