"""Link models: what the air does to packets, and how people write it down.

``instant`` is no model at all: everything arrives at once. A model has connection events at
anchor points, packets that take time on the air, and as much loss, distance and drift as its
keys say. Pure: no loop, no bumble.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from bletest.errors import UsageMistake
from bletest.link.airtime import LONGEST_DATA, SHORTEST_DATA, Phy

INSTANT = "instant"

NOMINAL_RSSI = -50
"""dBm at which everybody hears everybody where a model says nothing else."""

LOSS_AT_ONE_METRE = 40.0
"""dB of free space path loss over 1 m at 2.44 GHz: 20 log10(4 π d f / c)."""

INTERVAL_UNIT = 0.00125
TIMEOUT_UNIT = 0.01
"""Seconds in a unit of HCI's connection interval, and of its supervision timeout."""

_LONGEST_TIMEOUT = 32.0


@dataclass(frozen=True, slots=True)
class LinkModel:
    """The parameters of an air. All times are in seconds, distances in metres.

    ``interval``, ``latency``, ``supervision_timeout``
        of every new connection; None leaves what the central's host asks for. They can be
        changed later by a connection update.
    ``loss``
        the share of packets that nobody receives, each way, advertising included.
    ``data_length``
        the octets of payload that controllers agree on as a connection comes up.
    ``phy``
        the PHY that they agree on as a connection comes up.
    ``packets_per_event``
        how many packets a central sends in one connection event at most; None for as many as
        fit before the next anchor point.
    ``rssi``
        at how many dBm everybody hears everybody; None takes it from ``distance``.
    ``distance``
        between any two radios that are not placed elsewhere; None is where RSSI is -50 dBm.
    ``range``
        beyond which nothing is heard.
    ``drift``
        by how many ppm a controller's clock may be wrong; each has its own error between
        plus and minus that, from the seed.
    ``seed``
        of what is random in the model; None takes the air's.
    """

    interval: float | None = None
    latency: int | None = None
    supervision_timeout: float | None = None
    loss: float = 0.0
    data_length: int = LONGEST_DATA
    phy: Phy = Phy.LE_1M
    packets_per_event: int | None = None
    rssi: int | None = None
    distance: float | None = None
    range: float = math.inf
    drift: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what does not fit together; raises UsageMistake."""
        interval, timeout = self.interval, self.supervision_timeout
        if interval is not None and timeout is not None:
            least = least_timeout(interval, self.latency or 0)
            if timeout <= least:
                raise UsageMistake(
                    f"link model: a supervision timeout of {timeout:g} s is too short for an "
                    f"interval of {interval:g} s and a latency of {self.latency or 0}",
                    remedy=f"give more than {least:g} s (Vol 4, Part E, 7.8.12)",
                )

    def rssi_at(self, distance: float | None) -> int:
        """Return the dBm at which a sender of 0 dBm is heard at ``distance`` (None: nominal).

        Log-distance path loss with the exponent of free space: -40 dBm at 1 m, 20 dB less at
        ten times the distance.
        """
        if self.rssi is not None:
            return self.rssi
        if distance is None:
            return NOMINAL_RSSI
        loss = LOSS_AT_ONE_METRE + 20 * math.log10(max(distance, 0.01))
        return max(-127, min(20, round(-loss)))

    def parameters(self, interval: int, latency: int, timeout: int) -> tuple[int, int, int]:
        """Return interval, latency and timeout of a new connection, in the units of HCI.

        The arguments are what the central's host asks for. Where the model makes the interval
        so long that the host's timeout is not legal any more, the timeout is six times the
        time between two events that the peripheral has to attend.
        """
        if self.interval is not None:
            interval = round(self.interval / INTERVAL_UNIT)
        if self.latency is not None:
            latency = self.latency
        if self.supervision_timeout is not None:
            timeout = round(self.supervision_timeout / TIMEOUT_UNIT)
        elif timeout * TIMEOUT_UNIT <= least_timeout(interval * INTERVAL_UNIT, latency):
            wanted = 6 * (1 + latency) * interval * INTERVAL_UNIT
            timeout = math.ceil(min(wanted, _LONGEST_TIMEOUT) / TIMEOUT_UNIT)
        return interval, latency, timeout


def least_timeout(interval: float, latency: int) -> float:
    """Return the seconds that a supervision timeout has to exceed (Vol 4, Part E, 7.8.12)."""
    return 2 * (1 + latency) * interval


MODELS: Mapping[str, LinkModel | None] = {
    INSTANT: None,
    "ideal": LinkModel(),
    "noisy": LinkModel(loss=0.1, drift=50.0, distance=10.0),
}
"""The models that have a name."""


# Values as people write them.

_TIMES = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-zA-Zµ%]*)\s*")


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a model: what people write for it, and how that is read."""

    name: str
    example: str
    legal: str
    read: Callable[[object], Any]


def _quantity(
    units: Mapping[str, float], least: float, most: float, *, step: float | None = None
) -> Callable[[object], float]:
    """Return a reader of a number with a unit; a bare number is in the unit of factor 1."""

    def read(given: object) -> float:
        if isinstance(given, str):
            match = _QUANTITY.fullmatch(given)
            if match is None or match[2] not in units:
                raise ValueError
            value = float(match[1]) * units[match[2]]
        elif isinstance(given, int | float) and not isinstance(given, bool):
            value = float(given)
        else:
            raise ValueError
        if not least <= value <= most:
            raise ValueError
        if step is not None and abs(value / step - round(value / step)) > 1e-6:
            raise ValueError
        return value

    return read


def _whole(least: int, most: int, unit: str = "") -> Callable[[object], int]:
    units = dict.fromkeys(("", unit), 1.0)
    number = _quantity(units, least, most, step=1)
    return lambda given: round(number(given))


def _phy(given: object) -> Phy:
    for phy in Phy:
        if str(given).lower() == phy.lower():
            return phy
    raise ValueError


KEYS = (
    Key(
        "interval",
        "30ms",
        "7.5 ms to 4 s in steps of 1.25 ms",
        _quantity(_TIMES, 0.0075, 4.0, step=INTERVAL_UNIT),
    ),
    Key("latency", "4", "0 to 499 connection events", _whole(0, 499)),
    Key(
        "supervision_timeout",
        "2s",
        "100 ms to 32 s in steps of 10 ms",
        _quantity(_TIMES, 0.1, _LONGEST_TIMEOUT, step=TIMEOUT_UNIT),
    ),
    Key("loss", "5%", "a share, 0 to 1, or 0% to 100%", _quantity({"": 1.0, "%": 0.01}, 0.0, 1.0)),
    Key("data_length", "27", "27 to 251 octets", _whole(SHORTEST_DATA, LONGEST_DATA)),
    Key("phy", "2M", ", ".join(Phy), _phy),
    Key("packets_per_event", "6", "1 to 1000", _whole(1, 1000)),
    Key("rssi", "-70dBm", "-127 to 20 dBm", _whole(-127, 20, "dBm")),
    Key("distance", "5m", "0.01 to 10000 m", _quantity({"": 1.0, "m": 1.0}, 0.01, 10_000)),
    Key("range", "30m", "0.01 to 10000 m", _quantity({"": 1.0, "m": 1.0}, 0.01, 10_000)),
    # 500 ppm is the worst sleep clock accuracy there is (Vol 6, Part B, 4.2.2).
    Key("drift", "20ppm", "0 to 500 ppm", _quantity({"": 1.0, "ppm": 1.0}, 0.0, 500.0)),
    Key("seed", "7", "a whole number from 0 to 2^32", _whole(0, 1 << 32)),
)
"""Every key of a model."""

_BY_NAME = {key.name: key for key in KEYS}


def make_model(base: str = "ideal", *, where: str = "ble_link", **keys: object) -> LinkModel | None:
    """Return the model ``base`` with some keys changed; None for ``instant``.

    A key's value is written as on the command line (``"30ms"``), or is a number in seconds,
    metres, dBm, ppm, a share. Raises UsageMistake, which begins with ``where``.
    """
    if base not in MODELS:
        close = get_close_matches(base, (*MODELS, *_BY_NAME), n=1)
        raise UsageMistake(
            f'{where}: "{base}" is no link model',
            remedy=f'did you mean "{close[0]}"?' if close else _SPELLINGS,
        )
    model = MODELS[base]
    if not keys:
        return model
    if model is None:
        raise UsageMistake(
            f"{where}: {INSTANT} has no {', '.join(keys)}", remedy="leave instant away"
        )
    values: dict[str, Any] = {name: _read(name, given, where) for name, given in keys.items()}
    return replace(model, **values)


def _read(name: str, given: object, where: str) -> object:
    key = _BY_NAME.get(name)
    if key is None:
        close = get_close_matches(name, _BY_NAME, n=1)
        raise UsageMistake(
            f'{where}: "{name}" is no key of a link model',
            remedy=f'did you mean "{close[0]}"?' if close else f"known are {', '.join(_BY_NAME)}",
        )
    try:
        return key.read(given)
    except ValueError:
        raise UsageMistake(
            f"{where}: {name}={given} is not legal",
            remedy=f"give {key.legal}, written as {name}={key.example}",
        ) from None


_SPELLINGS = f"choose from {', '.join(MODELS)}, or write keys: interval=30ms,loss=5%"
