"""Requests that are never answered: GAT."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from bleak.exc import BleakError

from bletest.att import procedures
from bletest.errors import NoAnswer
from tests.conformance.client.registry import ClientLab, case
from tests.support.scripted_server import PRESENTED, SHORT, u16


async def never_answered(
    lab: ClientLab, request: bytes, ask: Callable[[], Awaitable[object]]
) -> None:
    """The caller is told after 30 s; nothing more is sent on that bearer."""
    lab.server.mute(request[0])
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises((BleakError, NoAnswer)) as caught:
        await ask()
    assert isinstance(caught.value, NoAnswer) or isinstance(caught.value.__cause__, NoAnswer)
    assert loop.time() - before == pytest.approx(30, abs=0.1)
    assert lab.received == [request]
    # Late, the answer is none.
    answer = lab.server.answer(request)
    assert answer is not None
    lab.server.send(answer)
    lab.server.answers.clear()
    with pytest.raises(BleakError):
        await lab.bleak.read_gatt_char(lab.characteristic(SHORT))
    await asyncio.sleep(60)
    assert lab.received == [request]


@case("GATT/CL/GAT/BV-01-C")
async def a_read(lab: ClientLab) -> None:
    characteristic = lab.characteristic(SHORT)
    await never_answered(
        lab, b"\x0a" + u16(SHORT), lambda: lab.bleak.read_gatt_char(characteristic)
    )


@case("GATT/CL/GAT/BV-02-C")
async def a_write(lab: ClientLab) -> None:
    characteristic = lab.characteristic(SHORT)
    await never_answered(
        lab,
        b"\x12" + u16(SHORT) + b"new",
        lambda: lab.bleak.write_gatt_char(characteristic, b"new", response=True),
    )


@case("GATT/CL/GAT/BV-03-C")
async def several_values(lab: ClientLab) -> None:
    await never_answered(
        lab,
        b"\x20" + u16(SHORT) + u16(PRESENTED),
        lambda: lab.client.run(procedures.read_multiple_variable([SHORT, PRESENTED])),
    )
