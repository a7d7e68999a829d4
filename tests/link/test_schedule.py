"""One heap and one timer for all advertisers of an air."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.link.clock import run
from bletest.link.schedule import Schedule
from tests.link.support import now


def timers() -> int:
    loop = asyncio.get_running_loop()
    return sum(not timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=30))
def test_appointments_are_kept_to_the_moment_and_in_order(plan):
    async def main() -> list[tuple[float, int]]:
        schedule = Schedule()
        kept: list[tuple[float, int]] = []

        def keep(number: int) -> None:
            kept.append((now(), number))

        made = [
            schedule.call_at(moment / 10, lambda number=number: keep(number))
            for number, (moment, _) in enumerate(plan)
        ]
        for appointment, (_, cancelled) in zip(made, plan, strict=True):
            if cancelled:
                appointment.cancel()
        await asyncio.sleep(3)
        return kept

    expected = [(moment / 10, number) for number, (moment, out) in enumerate(plan) if not out]
    assert run(main()) == sorted(expected, key=lambda one: one[0])


def test_a_thousand_appointments_take_one_timer_and_none_takes_none():
    async def main() -> tuple[int, int, int]:
        schedule = Schedule()
        before = timers()
        made = [schedule.call_at(1 + number, lambda: None) for number in range(1000)]
        during = timers() - before
        for appointment in made:
            appointment.cancel()
            appointment.cancel()
        return before, during, timers()

    before, during, after = run(main())
    assert (during, after) == (1, before)


def test_an_appointment_may_make_and_cancel_others():
    async def main() -> list[str]:
        schedule = Schedule()
        kept: list[str] = []
        doomed = schedule.call_at(1, lambda: kept.append("doomed"))

        def first() -> None:
            kept.append("first")
            doomed.cancel()
            schedule.call_at(1, lambda: kept.append("at once"))
            schedule.call_at(2, lambda: kept.append("later"))

        schedule.call_at(0.5, lambda: kept.append("early"))
        schedule.call_at(0.9, first)
        await asyncio.sleep(3)
        return kept

    assert run(main()) == ["early", "first", "at once", "later"]


def test_the_next_is_kept_though_one_raises():
    async def main() -> tuple[list[str], list[str]]:
        kept: list[str] = []
        raised: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: raised.append(str(context["exception"])))
        schedule = Schedule()

        def fail() -> None:
            raise RuntimeError("on purpose")

        schedule.call_at(1, fail)
        schedule.call_at(1, lambda: kept.append("next"))
        await asyncio.sleep(2)
        return kept, raised

    assert run(main()) == (["next"], ["on purpose"])
