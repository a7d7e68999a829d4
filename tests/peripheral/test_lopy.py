"""The server example that the project was founded on: as code, and as a profile."""

import runpy
from pathlib import Path

import pytest

from bletest import profile
from bletest.bench.bench import Bench
from bletest.bench.settings import Settings
from bletest.link import clock
from bletest.peripheral.requests import Trigger
from tests.peripheral.devices import cccd, device_and_central, handle

EXAMPLE = Path(__file__).parents[2] / "examples" / "lopy_native.py"
PROFILE = profile.shipped()["lopy"]
READ, WRITE = b"\x0a", b"\x12"

SAID = """\
Client connected
Read request on char 1
Read request on char 1
chr1: 05, 05, 41 42 43 20 44 45 46, 41 42 43 20 44 45 46
chr2: 12 34, f2, f3, f4
Write request with value = b'hello'
at once: 12 34
and then: 02 01
events: <Trigger.READ|NOTIFY|SUBSCRIBE: 168>
Client disconnected
"""


def test_the_example_says_what_the_device_of_the_seed_would(
    capsys: pytest.CaptureFixture[str],
) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out == SAID


def test_the_profile_reads_like_the_example() -> None:
    async def reads(text: str | None) -> list[bytes]:
        example = runpy.run_path(str(EXAMPLE))
        shown = profile.loads(example["LOPY"]) if text is None else profile.loads(text)
        async with Bench(Settings(seed=1)) as bench, bench.device(shown) as device:
            assert device.peripheral is not None
            if text is None:
                example["program"](device.peripheral)
            client = await bench.connect(device)
            found = [(await client.read("chr1")).raw]
            await client.write("chr1", b"a write counts too")
            found += [(await client.read("chr1")).raw, device.peripheral["chr1"].value()]
            return found + [(await client.read("chr2")).raw for _ in range(20)]

    async def main() -> None:
        by_code, by_profile = await reads(None), await reads(PROFILE.read_text(encoding="utf-8"))
        assert by_code == by_profile
        assert by_code[:4] == [b"\x05", b"ABC DEF", b"a write counts too", b"\x12\x34"]
        assert by_code[-6:] == [b"\xff", *(bytes([1, low]) for low in range(5))]

    clock.run(main())


def test_reads_of_a_profile_are_counted_anew_after_a_reboot_and_a_handler_goes_first() -> None:
    async def main() -> None:
        async with device_and_central(PROFILE.read_text(encoding="utf-8")) as (lopy, central):
            chr2 = lopy["chr2"]
            number = handle(lopy, "chr2")
            expected = [b"\x12\x34", b"\xf2", b"\xf3"]
            assert [await central.request(READ + number) for _ in expected] == [
                b"\x0b" + value for value in expected
            ]
            chr2.on_read(lambda request: b"mine")
            assert await central.request(READ + number) == b"\x0bmine"
            chr2.callback(Trigger.READ, lambda characteristic: None)
            assert await central.request(READ + number) == b"\x0b\xf4"
            assert await central.request(WRITE + number + b"new") == b"\x13"
            await lopy.reset()
            await central.connect()
            assert await central.request(READ + number) == b"\x0b\x12\x34"
            assert await central.request(WRITE + cccd(lopy, "chr2") + b"\x01\x00") == b"\x13"

    clock.run(main())
