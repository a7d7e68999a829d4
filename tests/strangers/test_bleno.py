"""bleno under test: our suites find what is wrong with it, and nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.strangers.support import HERE, node, own_environment

RANGES = "Vol 3, Part F, 3.4.3.1, 3.4.3.3 and 3.4.4.9"
TRUNCATED = "Vol 3, Part F, 3.4.1.1"

DEVIATIONS: dict[str, tuple[str, str, str]] = {
    # test: (official test case, or the paragraph where there is none; what we sent; the answer)
    #
    # A range that begins at 0x0000, or ends before it begins, is searched and found empty: 0x0A
    # instead of 0x01.
    "bad_handles range[bleno/find_information_backwards]": (
        *(RANGES, "04 0200 0100"),
        "01 04 0200 0a",
    ),
    "bad_handles range[bleno/find_by_type_value_backwards]": (
        *(RANGES, "06 0200 0100 0028 0018"),
        "01 06 0200 0a",
    ),
    "bad_handles range[bleno/read_by_group_type_backwards]": (
        *(RANGES, "10 0200 0100 0028"),
        "01 10 0200 0a",
    ),
    "bad_handles range[bleno/find_information_from_zero]": (
        *(RANGES, "04 0000 ffff"),
        "01 04 0000 0a",
    ),
    "bad_handles range[bleno/find_by_type_value_from_zero]": (
        *(RANGES, "06 0000 ffff 0028 0018"),
        "01 06 0000 0a",
    ),
    "bad_handles range[bleno/read_by_group_type_from_zero]": (
        *(RANGES, "10 0000 ffff 0028"),
        "01 10 0000 0a",
    ),
    "bad_handles read_by_uuid_range[bleno/backwards]": (
        *("GATT/SR/GAR/BI-08-C", "08 0200 0100 0028"),
        "01 08 0200 0a",
    ),
    "bad_handles read_by_uuid_range[bleno/from_zero]": (
        *("GATT/SR/GAR/BI-08-C", "08 0000 ffff 0028"),
        "01 08 0000 0a",
    ),
    # Commands and stray responses are answered as if they were requests.
    "bad_handles unsupported_command[bleno/opcode_0x40]": (
        *("GATT/SR/UNS/BI-02-C", "40 00"),
        "01 40 0000 06",
    ),
    "bad_handles unsupported_command[bleno/opcode_0x54]": (
        *("GATT/SR/UNS/BI-02-C", "54 03 0001"),
        "01 54 0000 06",
    ),
    "bad_handles unsupported_command[bleno/opcode_0x7f]": (
        *("GATT/SR/UNS/BI-02-C", "7f"),
        "01 7f 0000 06",
    ),
    "bad_handles stray_response[bleno/read_response]": (
        *("Vol 3, Part F, 3.3.2 and 3.4.7.3", "0b 0001"),
        "01 0b 0000 06",
    ),
    "bad_handles stray_response[bleno/write_response]": (
        *("Vol 3, Part F, 3.3.2 and 3.4.7.3", "13"),
        "01 13 0000 06",
    ),
    "write_without_response command_refused[heart_rate/body_sensor_location]": (
        *("Vol 3, Part F, 3.4.5.3", "52 0f00 01"),
        "01 52 0f00 03",
    ),
    # A type of any length is compared with the types there are.
    "bad_handles uuid_length[bleno/read_by_type]": (
        *("Vol 3, Part F, 3.4.4.1 and 3.4.4.9", "08 0100 ffff 002800"),
        "01 08 0100 0a",
    ),
    "bad_handles uuid_length[bleno/read_by_group_type]": (
        *("Vol 3, Part F, 3.4.4.1 and 3.4.4.9", "10 0100 ffff 002800"),
        "01 10 0100 10",
    ),
    "bad_handles truncated_request[bleno/read_by_type]": (
        *(TRUNCATED, "08 0100 ffff 03"),
        "01 08 0100 0a",
    ),
    # An empty queue cannot be executed, nor a PDU without flags told from one.
    "bad_handles execute_nothing[bleno/execute]": ("GATT/SR/GAW/BV-11-C", "18 01", "01 18 0000 0e"),
    "bad_handles execute_nothing[bleno/cancel]": ("GATT/SR/GAW/BV-11-C", "18 00", "01 18 0000 0e"),
    "bad_handles truncated_request[bleno/execute_write]": (TRUNCATED, "18", "01 18 0000 0e"),
    # An offset is looked at when it is queued, and not when the queue is executed.
    "long_values prepare_queue_limit[memory_service/memory]": (
        *("Vol 3, Part F, 3.4.6.1", "16 1400 0000 00"),
        "01 16 1400 07",
    ),
    # Values without the read property are passed over instead of refused.
    "reads read_by_uuid_refused[heart_rate/heart_rate_measurement]": (
        *("GATT/SR/GAR/BI-06-C", "08 0c00 0c00 372a"),
        "01 08 0c00 0a",
    ),
    "reads read_by_uuid_refused[heart_rate/heart_rate_control_point]": (
        *("GATT/SR/GAR/BI-06-C", "08 1100 1100 392a"),
        "01 08 1100 0a",
    ),
    "reads read_by_uuid_refused[memory_service/steps]": (
        *("GATT/SR/GAR/BI-06-C", "08 1700 1700 5c4b3a2e1f0d3e8c2c4ad59003002b6f"),
        "01 08 1700 0a",
    ),
}

DEADLY: dict[str, str] = {
    # test: what we sent. It reads past the end of a PDU that is too short, does not catch the
    # exception, and Node ends. An error response is due (Vol 3, Part F, 3.4.1.1).
    "bad_handles truncated_request[bleno/exchange_mtu]": "02 17",
    "bad_handles truncated_request[bleno/find_information]": "04 0100 ff",
    "bad_handles truncated_request[bleno/find_by_type_value]": "06 0100 ffff 00",
    "bad_handles truncated_request[bleno/read]": "0a 01",
    "bad_handles truncated_request[bleno/read_blob]": "0c 0100 00",
    "bad_handles truncated_request[bleno/read_by_group_type]": "10 0100 ffff",
    "bad_handles truncated_request[bleno/write]": "12 01",
    "bad_handles truncated_request[bleno/prepare_write]": "16 0100 00",
}

ELSEWHERE = "peripheral_control: only an emulated device has it (--ble-device emulated)"
"""Why seven tests of server callbacks skip."""


def short(test: str) -> str:
    return test.removeprefix("test_").replace(".py::test_", " ", 1)


def transcript(results: Path, test: str) -> list[dict[str, Any]]:
    """Return what a test has recorded of the air."""
    folder = re.sub(r"[^\w.=-]+", "_", test.replace("::", "-")).strip("_")[:150]
    lines = (results / folder / "transcript.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def after(events: list[dict[str, Any]], sent: str) -> dict[str, Any]:
    """Return what came after the last time that we sent these octets."""
    octets = bytes.fromhex(sent).hex()
    at = [
        number
        for number, one in enumerate(events)
        if (one.get("direction"), one.get("pdu")) == ("sent", octets)
    ]
    return events[at[-1] + 1]


def test_the_suites_find_exactly_what_bleno_gets_wrong(tmp_path):
    results, document = tmp_path / "results", tmp_path / "results.json"
    run = [
        *(sys.executable, "-c", "from bletest.cli import main; main()"),
        *("run", str(HERE / "bleno.yaml"), "--json", str(document), "--ble-output", str(results)),
        *("--ble-hci-port", "pty", "--ble-device", "name:Bleno"),
        *("--ble-device-command", node("bleno_device.js")),
        *("--", "-n", "2", "-p", "no:cacheprovider"),  # each worker has a bleno of its own
    ]
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=own_environment())
    told = json.loads(document.read_text())
    by_outcome: dict[str, dict[str, dict[str, Any]]] = {}
    for one in told["results"]:
        by_outcome.setdefault(one["outcome"], {})[short(one["id"])] = one
    failed = by_outcome.pop("failed")
    assert set(failed) == set(DEVIATIONS) | set(DEADLY), done.stdout
    assert {one["message"] for one in by_outcome.pop("skipped").values()} == {ELSEWHERE}
    assert set(by_outcome) == {"passed"}
    assert len(by_outcome["passed"]) > 100

    for test, (source, sent, answer) in DEVIATIONS.items():
        assert source in failed[test]["message"]
        came = after(transcript(results, failed[test]["id"]), sent)
        assert (came["direction"], came["pdu"]) == ("received", bytes.fromhex(answer).hex()), test
    for test, sent in DEADLY.items():
        message = failed[test]["message"]
        assert message.startswith("the firmware ended with exit code 1; its last lines were")
        assert "bleno/lib/hci-socket/gatt.js" in message
        came = after(transcript(results, failed[test]["id"]), sent)
        assert (came["what"], came["detail"][:4]) == ("disconnected", "0x08"), test
