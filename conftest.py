"""Fixtures and plugins for the whole checkout; the suites need none of it."""

pytest_plugins = ["pytester"]
