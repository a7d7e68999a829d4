"""The ``--ble-`` options as pytest knows them, with ini twins, and where each value came from."""

from typing import Any

import pytest

from bletest.bench.options import BY_NAME, OPTIONS, Option


def add_options(parser: pytest.Parser) -> None:
    """Declare every option with its ini twin."""
    group = parser.getgroup("bletest", "Bluetooth LE devices (bletest)")
    for option in OPTIONS:
        shown = f"{option.help} (default: {option.default})" if option.default else option.help
        if option.flag:
            group.addoption(option.switch, dest=option.key, action="store_true", help=shown)
            parser.addini(option.key, option.help, type="bool", default=False)
        else:
            group.addoption(
                option.switch,
                dest=option.key,
                action="append" if option.many else "store",
                metavar=option.metavar,
                default=None,
                help=shown,
            )
            if option.many:
                parser.addini(option.key, option.help, type="args", default=None)
            else:
                parser.addini(option.key, option.help, type="string", default=None)


class Values:
    """The options of one pytest run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._ini_name = config.inipath.name if config.inipath else "ini"

    def lookup(self, option: Option) -> tuple[Any, str]:
        """Return the value (text, list or bool) and its origin."""
        given = self._config.getoption(option.key)
        if given:
            return given, "command line"
        from_ini = self._config.getini(option.key)
        if from_ini:
            return from_ini, self._ini_name
        if option.many:
            return ([option.default] if option.default else []), "default"
        return (False if option.flag else option.default), "default"

    def text(self, name: str) -> str:
        """Return the value of a plain option."""
        return str(self.lookup(BY_NAME[name])[0])

    def words(self, name: str) -> list[str]:
        """Return the values of a repeatable option."""
        return list(self.lookup(BY_NAME[name])[0])

    def flag(self, name: str) -> bool:
        """Return whether a flag was given."""
        return bool(self.lookup(BY_NAME[name])[0])

    @property
    def used(self) -> bool:
        """Whether any option was given at all."""
        return any(self.lookup(option)[1] != "default" for option in OPTIONS)
