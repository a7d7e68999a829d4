"""The program's own process: bleak is taken over when the program imports it."""

import asyncio
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

# Every start of Python imports this module: the rest waits until the program imports bleak.
if TYPE_CHECKING:
    from bletest.client.adapter import BumbleAdapter


class ProcessRadio:
    """The radios that the environment names, on the loop of this process's engine."""

    def __init__(self) -> None:
        from bletest.standalone.engine import Engine
        from bletest.standalone.radios import named_radios

        self._engine = Engine.shared()
        self._opened: dict[int, asyncio.Task[BumbleAdapter]] = {}
        self._names = named_radios()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The engine's loop."""
        return self._engine.loop

    async def adapter(self, index: int) -> "BumbleAdapter":
        """Return the n-th adapter, opened on first use."""
        if index not in self._opened:
            self._opened[index] = self.loop.create_task(self._open(index))
        return await asyncio.shield(self._opened[index])

    def visited(self) -> None:
        """Nothing is virtual here."""

    async def _open(self, index: int) -> "BumbleAdapter":
        from bletest.client.adapter import BumbleAdapter
        from bletest.errors import UsageMistake
        from bletest.standalone.radios import VARIABLE, open_radio

        if index >= len(self._names):
            raise UsageMistake(
                f"there is no adapter hci{index}: {VARIABLE} names {len(self._names)}"
            )
        where = self._names[index]
        return BumbleAdapter(await open_radio(where, self._engine.air, name=f"app {index}"))


class _TakesOver(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads bleak as ever, and takes it over when it is loaded."""

    def __init__(self) -> None:
        self._spec: importlib.machinery.ModuleSpec | None = None

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "bleak" or self._spec is not None:
            return None
        self._spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if self._spec is None or self._spec.loader is None:
            return None
        self._loader = self._spec.loader
        self._spec.loader = self
        return self._spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        from bletest.apps.swap import take_over

        take_over(ProcessRadio())


def take_over_when_imported() -> None:
    """Have bleak, when this process imports it, end up on the radios of the environment."""
    sys.meta_path.insert(0, _TakesOver())
