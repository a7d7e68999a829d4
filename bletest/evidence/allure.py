"""Evidence into Allure results. The only module that imports allure.

allure-pytest does the bookkeeping (it is one of pytest's plugins); this module only adds to the
test that it has open. Where it has none, its own functions raise KeyError or AttributeError, so
everything here asks first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import allure
import allure_commons
from allure_commons.model2 import StatusDetails, TestResult, TestStepResult
from allure_commons.types import AttachmentType
from allure_pytest.listener import AllureListener  # type: ignore[import-untyped]

from bletest.contracts.findings import Finding
from bletest.evidence.findings_table import findings_html
from bletest.evidence.keeper import MACHINERY, Step, Story, UnshownStep
from bletest.evidence.session import write_session_files
from bletest.evidence.transcript import Transcript

_DYNAMIC: Any = allure.dynamic  # its methods carry no types

_JSON_LINES = "application/x-ndjson"

_MOST = 5_000
"""Lines of a transcript attached as text; the JSON Lines beside it are always complete."""


class AllureKeeper:
    """A :class:`~bletest.evidence.keeper.Keeper` that adds to allure-pytest's results."""

    def __init__(self, results: Path) -> None:
        self._results = results

    @property
    def keeps(self) -> bool:
        """Whether a test is open that evidence can be added to."""
        return _test_is_open()

    def tell(self, story: Story) -> None:
        """Set title, labels and parameters of the test that runs."""
        test = _open_test()
        if test is None:
            return
        # Their values are objects, whose reprs hold addresses in memory: they would make every
        # run a test without a history.
        test.parameters = [one for one in test.parameters if not one.name.startswith(MACHINERY)]
        if story.title:
            _DYNAMIC.title(story.title)
        if story.description:
            _DYNAMIC.description(story.description)
        if story.profile:
            _DYNAMIC.epic(story.profile)
        if story.service:
            _DYNAMIC.feature(story.service)
        if story.characteristic:
            _DYNAMIC.story(story.characteristic)
        if story.severity:
            _DYNAMIC.severity(allure.severity_level(story.severity))
        if story.official:
            _DYNAMIC.tag(*story.official)
        if story.known:
            _DYNAMIC.tag("known issue")
            details = test.statusDetails or StatusDetails()
            details.known = True
            test.statusDetails = details
        parameters = {"profile": story.profile} if story.profile else {}
        for name, value in {**parameters, **story.parameters}.items():
            _DYNAMIC.parameter(name, _Plain(value))
        for name, value in story.surroundings.items():
            _DYNAMIC.parameter(name, _Plain(value), excluded=True)

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Show a block as a step: failed for an AssertionError, broken for anything else."""
        return _step(title)

    def attach_transcript(self, transcript: Transcript) -> None:
        """Attach both forms of the transcript."""
        if len(transcript):
            _attach("transcript.txt", AttachmentType.TEXT, lambda: transcript.text(limit=_MOST))
            _attach("transcript.jsonl", _JSON_LINES, transcript.json_lines)

    def attach_findings(self, findings: Sequence[Finding]) -> None:
        """Attach the table."""
        if findings:
            _attach("findings", AttachmentType.HTML, lambda: findings_html(findings))

    def attach_text(self, name: str, text: str) -> None:
        """Attach plain text."""
        _attach(name, AttachmentType.TEXT, lambda: text)

    def attach_file(self, path: Path) -> None:
        """Attach a copy of the file."""
        listener, test = _listener(), _open_test()
        if listener is not None and test is not None:
            listener.allure_logger.attach_file(
                uuid4(),
                str(path),
                name=path.name,
                attachment_type="application/octet-stream",
                extension=path.suffix.removeprefix(".") or None,
                parent_uuid=test.uuid,
            )

    def describe_session(
        self, *, name: str, environment: Mapping[str, object], variables: Mapping[str, str]
    ) -> None:
        """Write the session's files into the results directory."""
        write_session_files(self._results, name=name, environment=environment, variables=variables)


class _Plain:
    """Shows a parameter as people write it: allure puts texts in quotes, and hides octets."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        value = self._value
        return value.hex(" ") if isinstance(value, bytes | bytearray) else str(value)


class _ShownStep:
    """A step of the test; its title lives in allure-pytest's record until the step ends."""

    def __init__(self, record: TestStepResult) -> None:
        self._record = record

    def says(self, outcome: str) -> None:
        """Put the outcome behind the title."""
        self._record.name = f"{self._record.name} → {outcome}"


@contextmanager
def _step(title: str) -> Iterator[Step]:
    if not _test_is_open():
        yield UnshownStep()
        return
    context = allure.step(title)
    with context:
        listener = _listener()
        record = listener.allure_logger.get_item(context.uuid) if listener else None
        yield _ShownStep(record) if isinstance(record, TestStepResult) else UnshownStep()


def _attach(name: str, kind: AttachmentType | str, render: Callable[[], str]) -> None:
    """Attach to the test itself, also from the end of a fixture, which has a place of its own."""
    listener, test = _listener(), _open_test()
    if listener is None or test is None:
        return
    listener.allure_logger.attach_data(
        uuid4(),
        render(),
        name=name,
        attachment_type=kind,
        extension=Path(name).suffix.removeprefix(".") or None,
        parent_uuid=test.uuid,
    )


def _listener() -> AllureListener | None:
    """Return the part of allure-pytest that writes results, None without --alluredir."""
    plugins = allure_commons.plugin_manager.get_plugins()
    return next((plugin for plugin in plugins if isinstance(plugin, AllureListener)), None)


def _open_test() -> TestResult | None:
    """Return the test that runs, or whose fixtures do; None where there is none."""
    listener = _listener()
    try:
        test = listener.allure_logger.get_test(None) if listener else None
    except StopIteration:  # asked from another thread, before the first test
        return None
    return test if isinstance(test, TestResult) else None


def _test_is_open() -> bool:
    return _open_test() is not None
