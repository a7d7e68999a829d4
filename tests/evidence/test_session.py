import json
import os
from pathlib import Path

import pytest

from bletest.evidence.files import write_atomically
from bletest.evidence.session import (
    configuration,
    environment_properties,
    executor,
    write_session_files,
)


def test_the_environment_is_written_in_order_and_escaped_as_java_properties() -> None:
    text = environment_properties(
        {
            "adapter": "usb:0",
            "device under test": "C0:11",
            "a=b": " c\\d",
            "empty": "",
            "none": None,
            "seed": 0,
            "lines": "1\n2",
        }
    )
    assert text == (
        "adapter=usb:0\ndevice\\ under\\ test=C0:11\na\\=b=\\ c\\\\d\nseed=0\nlines=1\\n2\n"
    )


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"name": "bletest", "type": "local"}),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REPOSITORY": "acme/strap",
                "GITHUB_WORKFLOW": "nightly",
                "GITHUB_RUN_NUMBER": "12",
                "GITHUB_RUN_ID": "987",
            },
            {
                "name": "GitHub Actions",
                "type": "github",
                "buildName": "nightly #12",
                "buildOrder": 12,
                "buildUrl": "https://github.com/acme/strap/actions/runs/987",
            },
        ),
        (
            {
                "GITLAB_CI": "true",
                "CI_JOB_NAME": "bench",
                "CI_PIPELINE_IID": "7",
                "CI_JOB_URL": "https://gitlab.example/j/7",
            },
            {
                "name": "GitLab CI",
                "type": "gitlab",
                "buildName": "bench #7",
                "buildOrder": 7,
                "buildUrl": "https://gitlab.example/j/7",
            },
        ),
        (
            {"JENKINS_URL": "https://ci.example", "JOB_NAME": "bench", "BUILD_NUMBER": "3"},
            {
                "name": "Jenkins",
                "type": "jenkins",
                "buildName": "bench #3",
                "buildOrder": 3,
                "buildUrl": "",
            },
        ),
    ],
    ids=["local", "github", "gitlab", "jenkins"],
)
def test_the_executor_is_read_from_the_environment(
    variables: dict[str, str], expected: dict[str, object]
) -> None:
    assert executor(variables) == expected


def test_session_files_are_written_and_replaced(tmp_path: Path) -> None:
    results = tmp_path / "new" / "allure-results"
    for seed in (1, 2):
        write_session_files(results, name="strap", environment={"seed": seed}, variables={})
    assert {path.name for path in results.iterdir()} == {
        "environment.properties",
        "executor.json",
        "allurerc.json",
    }
    assert (results / "environment.properties").read_text() == "seed=2\n"
    assert json.loads((results / "allurerc.json").read_text()) == configuration("strap")


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    target.write_bytes(b"old")

    def full_disk(source: str, destination: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert target.read_bytes() == b"old"


def test_a_written_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomically(tmp_path / "ours", b"x")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode
