"""bleak's platform back end, replaced for a while."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bletest.apps.backend import Radio, bound_to

NAME = "bletest"
"""What a program sees as the identifier of the back end (``BleakClient.backend_id``)."""

_FUNCTIONS = {
    "bleak.backends.client": "get_platform_client_backend_type",
    "bleak.backends.scanner": "get_platform_scanner_backend_type",
    "bleak.backends.adapter": "get_platform_adapter_backend_type",
}
"""Where bleak decides on a back end. ``bleak`` itself holds a reference to each."""


@contextmanager
def plain_bleak_on(radio: Radio) -> Iterator[None]:
    """Have every ``BleakClient`` and ``BleakScanner`` made in a block end up on ``radio``.

    Only those that name no back end; what the platform had is back at the end of the block.
    """
    kept = take_over(radio)
    try:
        yield
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def take_over(radio: Radio) -> list[tuple[Any, str, Any]]:
    """Replace the platform's back ends; return each place with its name and what was there."""
    bleak = importlib.import_module("bleak")
    kept = []
    for (path, name), backend in zip(_FUNCTIONS.items(), bound_to(radio), strict=True):
        try:
            home = importlib.import_module(path)
        except ModuleNotFoundError:  # bleak knows adapters since 3.1
            continue
        for module in (home, bleak):
            if hasattr(module, name):
                kept.append((module, name, getattr(module, name)))
                setattr(module, name, _chooser(backend))
    return kept


def _chooser(backend: type) -> Any:
    return lambda: (backend, NAME)
