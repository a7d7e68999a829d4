import inspect
from pathlib import Path

from bletest import errors


def _tree() -> dict[str, type[errors.BletestError]]:
    return {
        name: member
        for name, member in vars(errors).items()
        if inspect.isclass(member) and issubclass(member, errors.BletestError)
    }


def test_the_drawing_of_the_tree_names_every_exception_once() -> None:
    drawing = errors.__doc__ or ""
    words = drawing.replace("│", " ").replace("├──", " ").replace("└──", " ").split()
    for name in _tree():
        assert words.count(name) == 1, name


def test_whose_fault_it_is_can_be_told_from_the_type() -> None:
    for name, member in _tree().items():
        device = issubclass(member, errors.DeviceFault)
        under_test = device or issubclass(member, errors.AppFailed)
        assert issubclass(member, AssertionError) == under_test, name
        assert device + issubclass(member, errors.BenchTrouble) <= 1, name


def test_a_remedy_stands_on_a_line_of_its_own() -> None:
    assert str(errors.BenchTrouble("no radio", remedy="plug one in")) == (
        "no radio\n  remedy: plug one in"
    )


def test_the_page_on_errors_lists_each_once_with_its_remedy() -> None:
    page = (Path(__file__).parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert all(len(row) == 3 and all(cell.strip("| ") for cell in row) for row in rows)
    # The three that only say whose fault it is are explained above their tables.
    groups = {"BletestError", "DeviceFault", "BenchTrouble"}
    assert sorted(row[0].strip("| `") for row in rows) == sorted(set(_tree()) - groups)
