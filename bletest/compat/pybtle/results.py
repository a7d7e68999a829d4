"""What every call of pybtle's interface returns, and what its arguments may be."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from bletest.errors import BletestError, UsageMistake

Result = dict[str, Any]
P = ParamSpec("P")

OK = "ok"
ERROR = "error"

_NOTHING = object()


def ok(value: object = _NOTHING) -> Result:
    """Return the result of a call that worked, with what it asked for."""
    plain: Result = {"result": OK, "reason": ""}
    return plain if value is _NOTHING else {**plain, "value": value}


def error(reason: str) -> Result:
    """Return the result of a call that did not."""
    return {"result": ERROR, "reason": reason}


def answers(call: Callable[P, Result]) -> Callable[P, Result]:
    """Turn what ``call`` raises into a result; only our own bugs get through."""

    @wraps(call)
    def answer(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            return call(*args, **kwargs)
        except BletestError as trouble:
            return error(_reason(trouble))
        except TimeoutError:
            return error(f"{call.__name__} was not done in time")

    return answer


def _reason(trouble: BletestError) -> str:
    return f"{trouble.message}; {trouble.remedy}" if trouble.remedy else trouble.message


# Arguments. Each raises UsageMistake, which `answers` makes a result.


def whole_number(name: str, value: object) -> int:
    """Return an int that is not negative."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageMistake(f"{name} must be a number from 0, not {value!r}")
    return value


def seconds(name: str, value: object) -> float:
    """Return a time above 0."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise UsageMistake(f"{name} must be a number of seconds above 0, not {value!r}")
    return float(value)


def one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    """Return one of the words."""
    if value not in choices:
        words = ", ".join(f'"{one}"' for one in choices)
        raise UsageMistake(f"{name} must be one of {words}, not {value!r}")
    assert isinstance(value, str)
    return value


def function(name: str, value: object) -> Callable[..., object]:
    """Return something that can be called."""
    if not callable(value):
        raise UsageMistake(f"{name} must be a function, not {value!r}")
    return value


def octets(name: str, value: object) -> bytes:
    """Return octets; a str is encoded as UTF-8."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise UsageMistake(f"{name} must be str or bytes, not {value!r}")
