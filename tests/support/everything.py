"""Imports all of bletest and what it imports late, for tests that run pytest inside this process.

pytester takes away what such a run imports. A module that came late would exist twice
afterwards: its classes would no longer be those that other tests know, its checks would not be
entered into the table again, and bluetooth-sig would no longer find the types of its fields.
PyYAML's C half does not survive that at all.
"""

from importlib import import_module
from pkgutil import walk_packages

import bluetooth_sig

import bletest
import pytest_bletest


def import_everything() -> None:
    """Import every module of the library, of the plugin, and of the codecs."""
    for package in (bletest, pytest_bletest, bluetooth_sig):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
