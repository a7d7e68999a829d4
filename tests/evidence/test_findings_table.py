from html.parser import HTMLParser

from bletest.contracts.findings import Finding, Severity
from bletest.evidence.findings_table import findings_html


class Cells(HTMLParser):
    """Reads the table back: one list of texts a row, and every tag that occurs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "br":
            self.rows[-1][-1] += "\n"

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


def test_a_row_tells_all_of_a_finding() -> None:
    page = findings_html(
        [
            Finding(
                "read.value",
                "heart_rate/body_sensor_location",
                "exactly 1 octet 01",
                "<02> & more",
                paragraph="Vol 3, Part G, 4.8.1",
                official=("GATT/SR/GAR/BV-01-C",),
                remedy="serve what the profile promises",
            ),
            Finding("adv.name", "device", "Strap", "none", severity=Severity.WARNING),
        ]
    )
    header, error, warning = Cells(page).rows
    assert header == ["Check", "Attribute", "Expected", "Observed", "Source"]
    assert error == [
        "read.value\nerror",
        "heart_rate/body_sensor_location",
        "exactly 1 octet 01",
        "<02> & more\n→ serve what the profile promises",
        "Vol 3, Part G, 4.8.1\nGATT/SR/GAR/BV-01-C",
    ]
    assert warning[0] == "adv.name\nwarning"


def test_what_a_device_says_cannot_become_markup() -> None:
    page = findings_html([Finding("x", "<img>", "<b>", "<script>alert(1)</script>")])
    assert not Cells(page).tags & {"script", "img", "b"}
