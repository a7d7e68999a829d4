import os

import pytest

from tests.support.everything import import_everything

# The many programs that tests start would each compile everything anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def whole_library() -> None:
    """All of bletest, imported."""
    import_everything()


@pytest.fixture
def pytester(whole_library: None, pytester: pytest.Pytester) -> pytest.Pytester:
    """pytest's own, which leaves behind no module of ours that exists twice."""
    return pytester
