"""What one pytest session knows: its options, its profiles, its loop."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bletest.bench.options import OPTIONS, build_settings, choose_seed
from pytest_bletest import known
from pytest_bletest.options import Values

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from bletest.bench.settings import Settings
    from bletest.evidence.keeper import Keeper
    from bletest.profile.spec import Profile


class State:
    """Options and profiles, read once, as late as possible."""

    def __init__(self, config: pytest.Config, values: Values) -> None:
        self.config = config
        self.values = values
        self.profiles: list[Profile] = []
        self.not_applicable = 0
        self.faults: dict[tuple[str, str], tuple[int, int]] = {}
        """Of profiles: by profile and sentence, how often the occasion came, and the fault."""
        self._settings: Settings | None = None
        self._by_marker: dict[str, Profile] = {}
        self._keeper: Keeper | None = None

    @property
    def used(self) -> bool:
        """Whether anything of bletest was asked for so far."""
        return self.values.used or self._settings is not None

    @property
    def settings(self) -> "Settings":
        """The bench of this run; raises pytest.UsageError for options that make no sense."""
        if self._settings is None:
            from bletest.errors import UsageMistake

            try:
                self._settings = build_settings(self.values, fallback_seed=self._seed)
            except UsageMistake as mistake:
                raise pytest.UsageError(str(mistake)) from None
        return self._settings

    def _seed(self) -> int:
        """Choose a seed once per run; the workers of pytest-xdist get their controller's."""
        worker = getattr(self.config, "workerinput", {})
        return int(worker["ble_seed"]) if "ble_seed" in worker else choose_seed()

    def load(self) -> None:
        """Read options and profiles if any option was given; raise pytest.UsageError."""
        if not self.values.used:
            return
        _ = self.settings
        patterns = self.values.words("profile")
        if patterns:
            self.profiles = self._load(patterns)

    def profile_of_marker(self, name: str) -> "Profile":
        """Return the profile that a ``ble_profile`` marker names; raise pytest.UsageError."""
        if name not in self._by_marker:
            (self._by_marker[name],) = self._load([name])[:1]
        return self._by_marker[name]

    def _load(self, patterns: list[str]) -> "list[Profile]":
        from bletest import profile
        from bletest.errors import UsageMistake

        try:
            paths: list[Path] = []
            for pattern in patterns:
                paths += [path for path in profile.find(pattern) if path not in paths]
            profiles = [profile.load(path) for path in paths]
            known.check_names(profiles)
            return profiles
        except UsageMistake as mistake:
            raise pytest.UsageError(str(mistake)) from None

    @property
    def keeper(self) -> "Keeper":
        """Where evidence goes: to Allure's results with ``--alluredir``, or nowhere."""
        if self._keeper is None:
            from bletest.evidence.keeper import open_keeper

            results = self.config.getoption("allure_report_dir", None)
            self._keeper = open_keeper(Path(results) if results else None)
        return self._keeper

    @property
    def loop_factory(self) -> "type[AbstractEventLoop] | Any":
        """What makes the loop of tests that use a radio."""
        if self.settings.real_because:
            import asyncio

            return asyncio.new_event_loop
        from bletest.link import clock

        return clock.new_loop

    def header(self) -> list[str]:
        """Return the lines of the report header: each value and where it came from."""
        shown = []
        for option in OPTIONS:
            value, origin = self.values.lookup(option)
            if option.name == "seed":
                value, origin = self.settings.seed, origin if value else "chosen"
            elif origin == "default" and option.name not in ("adapter", "device"):
                continue
            text = ",".join(value) if isinstance(value, list) else value
            shown.append(f"{option.name}={text} ({origin})")
        because = self.settings.real_because
        clock = f"real (because {because})" if because else "virtual"
        return [f"bletest: {', '.join(shown)}", f"bletest: clock: {clock}"]


STATE: pytest.StashKey[State] = pytest.StashKey()
