"""Findings as a static HTML table: report viewers show it inline and run no script in it."""

from collections.abc import Iterable, Sequence
from html import escape

from bletest.contracts.findings import Finding

_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 8px; color: #1b1f24; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 6px 10px; border: 1px solid #d0d7de; }
th { background: #f6f8fa; }
tr.error td:first-child { border-left: 4px solid #cf222e; }
tr.warning td:first-child { border-left: 4px solid #bf8700; }
code { font-family: ui-monospace, monospace; }
""".strip()

_COLUMNS = ("Check", "Attribute", "Expected", "Observed", "Source")


def findings_html(findings: Sequence[Finding]) -> str:
    """Return a whole HTML document with one row a finding, errors and warnings told apart."""
    head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    rows = "\n".join(map(_row, findings))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Findings</title>\n'
        f"<style>\n{_STYLE}\n</style></head><body>\n"
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>\n"
        "</body></html>\n"
    )


def _row(finding: Finding) -> str:
    observed = _lines([finding.observed, *([f"→ {finding.remedy}"] if finding.remedy else [])])
    source = _lines([*([finding.paragraph] if finding.paragraph else []), *finding.official])
    return (
        f'<tr class="{finding.severity.value}"><td><code>{escape(finding.check)}</code><br>'
        f"{finding.severity.value}</td><td><code>{escape(finding.attribute)}</code></td>"
        f"<td>{escape(finding.expected)}</td><td>{observed}</td><td>{source}</td></tr>"
    )


def _lines(lines: Iterable[str]) -> str:
    return "<br>".join(map(escape, lines))
