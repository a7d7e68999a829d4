"""Files beside the test results that hold for the whole session.

``environment.properties`` and ``executor.json`` are read by every Allure; ``allurerc.json`` is
the configuration for Allure 3, which takes its categories from there and nowhere else.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from bletest.evidence.files import write_atomically

CONFIGURATION = "allurerc.json"


def write_session_files(
    results: Path,
    *,
    name: str,
    environment: Mapping[str, object],
    variables: Mapping[str, str],
) -> None:
    """Write the three files into the allure-results directory ``results``, made if missing.

    ``name`` is the report's, ``environment`` what the report lists (adapter, device, seed, …)
    in that order, ``variables`` the environment variables of the process, from which the
    continuous-integration service is told. Files that stand there are replaced.
    """
    results.mkdir(parents=True, exist_ok=True)
    texts = {
        "environment.properties": environment_properties(environment),
        "executor.json": json.dumps(executor(variables), indent=2) + "\n",
        CONFIGURATION: json.dumps(configuration(name), indent=2) + "\n",
    }
    for file, text in texts.items():
        write_atomically(results / file, text.encode())


def environment_properties(environment: Mapping[str, object]) -> str:
    """Return Java properties, one line an entry; None and empty values are left out."""
    return "".join(
        f"{_escaped(key, in_key=True)}={_escaped(str(value), in_key=False)}\n"
        for key, value in environment.items()
        if value is not None and str(value)
    )


def _escaped(text: str, *, in_key: bool) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if in_key:
        for special in " =:#!":
            escaped = escaped.replace(special, f"\\{special}")
    elif escaped.startswith(" "):
        escaped = f"\\{escaped}"
    return escaped


def executor(variables: Mapping[str, str]) -> dict[str, object]:
    """Say who ran the tests, as Allure's ``executor.json`` wants it."""
    said = {name: variables.get(name, "") for name in _CI_VARIABLES}
    if said["GITHUB_ACTIONS"]:
        repository = f"{said['GITHUB_SERVER_URL']}/{said['GITHUB_REPOSITORY']}"
        return {
            "name": "GitHub Actions",
            "type": "github",
            "buildName": f"{said['GITHUB_WORKFLOW']} #{said['GITHUB_RUN_NUMBER']}",
            "buildOrder": _number(said["GITHUB_RUN_NUMBER"]),
            "buildUrl": f"{repository}/actions/runs/{said['GITHUB_RUN_ID']}",
        }
    if said["GITLAB_CI"]:
        return {
            "name": "GitLab CI",
            "type": "gitlab",
            "buildName": f"{said['CI_JOB_NAME']} #{said['CI_PIPELINE_IID']}",
            "buildOrder": _number(said["CI_PIPELINE_IID"]),
            "buildUrl": said["CI_JOB_URL"],
        }
    if said["JENKINS_URL"]:
        return {
            "name": "Jenkins",
            "type": "jenkins",
            "buildName": f"{said['JOB_NAME']} #{said['BUILD_NUMBER']}",
            "buildOrder": _number(said["BUILD_NUMBER"]),
            "buildUrl": said["BUILD_URL"],
        }
    return {"name": "bletest", "type": "local"}


_CI_VARIABLES = (
    *("GITHUB_ACTIONS", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_WORKFLOW"),
    *("GITHUB_RUN_NUMBER", "GITHUB_RUN_ID"),
    *("GITLAB_CI", "CI_JOB_NAME", "CI_PIPELINE_IID", "CI_JOB_URL"),
    *("JENKINS_URL", "JOB_NAME", "BUILD_NUMBER", "BUILD_URL"),
)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def configuration(name: str) -> dict[str, object]:
    """Return Allure 3's configuration: the report's name, and whose fault a failure is."""
    return {
        "name": name,
        "categories": [
            {
                "name": "Product defects (the device's fault)",
                "matchers": {"statuses": ["failed"]},
                "groupByMessage": True,
            },
            {
                "name": "Test defects (trouble of the bench, the adapter or the test)",
                "matchers": {"statuses": ["broken"]},
                "groupByMessage": True,
            },
        ],
    }
