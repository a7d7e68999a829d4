"""Link models as people write them, and what their numbers mean."""

import pytest

from bletest.errors import UsageMistake
from bletest.link.airtime import Phy
from bletest.link.model import KEYS, MODELS, LinkModel, make_model


def test_keys_are_read_with_their_units() -> None:
    assert make_model(
        interval="30ms",
        latency="4",
        supervision_timeout="2s",
        loss="5%",
        data_length="27",
        phy="2m",
        packets_per_event="6",
        rssi="-70dBm",
        distance="5m",
        range="30",
        drift="20ppm",
        seed="7",
    ) == LinkModel(
        interval=0.03,
        latency=4,
        supervision_timeout=2.0,
        loss=0.05,
        data_length=27,
        phy=Phy.LE_2M,
        packets_per_event=6,
        rssi=-70,
        distance=5.0,
        range=30.0,
        drift=20.0,
        seed=7,
    )


def test_numbers_of_python_are_in_seconds_metres_and_shares() -> None:
    assert make_model(interval=0.0075, loss=0.5, distance=3, data_length=100) == LinkModel(
        interval=0.0075, loss=0.5, distance=3.0, data_length=100
    )


def test_keys_change_the_model_that_is_named() -> None:
    noisy = make_model("noisy", interval="50ms")
    assert noisy is not None
    assert noisy.interval == 0.05
    assert noisy.loss == MODELS["noisy"].loss > 0  # type: ignore[union-attr]


def test_instant_is_no_model() -> None:
    assert make_model("instant") is None
    with pytest.raises(UsageMistake, match="instant has no loss"):
        make_model("instant", loss=0.1)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"intervall": "30ms"}, ['"intervall" is no key', 'did you mean "interval"']),
        ({"interval": "30"}, ["interval=30 is not legal", "interval=30ms"]),
        ({"interval": "31ms"}, ["steps of 1.25 ms"]),
        ({"interval": "5ms"}, ["7.5 ms to 4 s"]),
        ({"interval": True}, ["interval=True"]),
        ({"latency": "500"}, ["0 to 499"]),
        ({"latency": "1.5"}, ["0 to 499"]),
        ({"supervision_timeout": "33s"}, ["100 ms to 32 s"]),
        ({"loss": "120%"}, ["0% to 100%"]),
        ({"loss": "5kg"}, ["0% to 100%"]),
        ({"data_length": "26"}, ["27 to 251 octets"]),
        ({"phy": "3M"}, ["1M, 2M, coded, coded_s2"]),
        ({"rssi": "30dBm"}, ["-127 to 20 dBm"]),
        ({"distance": "near"}, ["0.01 to 10000 m"]),
        ({"drift": "501ppm"}, ["0 to 500 ppm"]),
        ({"interval": "1s", "supervision_timeout": "2s"}, ["too short", "more than 2 s"]),
        (
            {"interval": "100ms", "latency": 9, "supervision_timeout": "2s"},
            ["latency of 9", "more than 2 s"],
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_remedy(
    keys: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(UsageMistake) as caught:
        make_model(where="--ble-link", **keys)
    assert caught.value.remedy
    for word in ("link", *words):
        assert word in str(caught.value)


def test_a_wrong_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageMistake, match='did you mean "noisy"'):
        make_model("nosy")
    with pytest.raises(UsageMistake, match="choose from instant, ideal, noisy"):
        make_model("xyz")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_the_example_of_each_key_is_legal(key) -> None:
    assert make_model(**{key.name: key.example}) is not None


@pytest.mark.parametrize(("metres", "dbm"), [(0.1, -20), (1, -40), (10, -60), (100, -80)])
def test_ten_times_the_distance_costs_20_db(metres: float, dbm: int) -> None:
    assert LinkModel().rssi_at(metres) == dbm


def test_an_rssi_that_is_given_holds_at_any_distance() -> None:
    assert LinkModel(rssi=-77, distance=5).rssi_at(5) == -77
    assert LinkModel().rssi_at(None) == -50


def test_a_model_without_parameters_leaves_what_the_host_asks_for() -> None:
    assert LinkModel().parameters(24, 2, 72) == (24, 2, 72)


def test_the_parameters_of_a_model_replace_the_hosts() -> None:
    model = LinkModel(interval=0.05, latency=1, supervision_timeout=4.0)
    assert model.parameters(24, 0, 72) == (40, 1, 400)


def test_a_timeout_that_the_models_interval_makes_illegal_becomes_six_attended_events() -> None:
    # 720 ms is not more than twice 500 ms.
    assert LinkModel(interval=0.5).parameters(24, 0, 72) == (400, 0, 300)
    assert LinkModel(interval=4.0, latency=2).parameters(24, 0, 72) == (3200, 2, 3200)
