"""The wheel: what a user gets who installs bletest instead of cloning it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = "plugins/pytest_bletest"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """Build the wheel without a network: the build back end is installed with the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    script = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    built = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return zipfile.Path(folder / built.stdout.splitlines()[-1])


def relative(folder: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob(pattern)}


def test_the_wheel_has_every_module_suite_and_profile(wheel: zipfile.Path) -> None:
    packed = set(wheel.root.namelist())
    modules = {f"bletest/{name}" for name in relative(ROOT / "bletest", "*.py")}
    plugin = {
        f"pytest_bletest/{name}" for name in relative(ROOT / "plugins/pytest_bletest", "*.py")
    }
    suites = {f"bletest/_suites/{name}" for name in relative(ROOT / "suites", "*.py")}
    profiles = {f"bletest/_profiles/{name}" for name in relative(ROOT / "profiles", "*.yaml")}
    assert min(map(len, (modules, plugin, suites, profiles))) > 3
    missing = (modules | plugin | suites | profiles) - packed
    assert missing == set()


def test_the_wheel_has_nothing_else(wheel: zipfile.Path) -> None:
    heads = {name.split("/")[0] for name in wheel.root.namelist()}
    assert {head for head in heads if not head.endswith(".dist-info")} == {
        "bletest",
        "pytest_bletest",
    }
    assert not [name for name in wheel.root.namelist() if "__pycache__" in name]


def test_a_user_without_a_checkout_finds_suites_and_profiles(
    wheel: zipfile.Path, tmp_path: Path
) -> None:
    wheel.root.extractall(tmp_path / "site")
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
import bletest.cli
assert bletest.__file__.startswith({str(tmp_path)!r}), bletest.__file__
bletest.cli.main(["run", "led_button", "--", "-k", "test_read"])
"""
    run = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
