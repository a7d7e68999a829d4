"""Where the strangers are, and what is said where they cannot run."""

import asyncio
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bletest.bench.bench import Bench
from bletest.bench.settings import DeviceSelector, SelectBy, Settings
from bletest.link.port_spec import parse_port

HERE = Path(__file__).parent
PATIENCE = 20.0
"""Seconds that a stranger may take for all it has to do."""


def node(script: str) -> str:
    """Return the command that runs a script of ours; skip where Node or its packages lack."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is missing: install Node 20 or later")
    if not (HERE / "node_modules").is_dir():
        pytest.skip("the Node packages are missing: run npm ci in tests/strangers")
    return shlex.join([found, str(HERE / script)])


def python(script: str) -> str:
    """Return the command that runs a script of ours with this Python."""
    return shlex.join([sys.executable, str(HERE / script)])


def own_environment() -> dict[str, str]:
    """Return the environment for a run of pytest inside a run of pytest."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}


def settings(port: str, command: str, output: Path, device: str = "") -> Settings:
    return Settings(
        hci_port=parse_port("--ble-hci-port", port),
        device_command=command,
        device=DeviceSelector(SelectBy.NAME, device) if device else None,
        output=output,
    )


async def all_said(bench: Bench) -> dict[str, Any]:
    """Wait until the firmware says that it is done; return what it has said as JSON lines."""
    assert bench.firmware is not None
    async with asyncio.timeout(PATIENCE):
        while '"done"' not in (output := bench.firmware.output()):
            if (death := bench.firmware.death()) is not None:
                raise death
            await asyncio.sleep(0.02)
    said: dict[str, Any] = {}
    for line in output.splitlines():
        said |= json.loads(line)
    return said
