"""The picture of the page: pairs of bars, ours above plain bumble's, as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 820
LEFT = 250
"""Where bars begin; the titles stand before it."""
LONGEST = 330
BAR = 13
ROW = 2 * BAR + 18
HEAD = 62

OURS, RAW, INK, FAINT, PAPER = "#2563a8", "#b3b9c2", "#1c2530", "#5d6875", "#ffffff"
_FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: what is compared, the keys of both figures, and which end is the good one.

    ``ratio`` is the key of the figure that compares them, "" where none does.
    """

    title: str
    ours: str
    raw: str
    unit: str
    more_is_better: bool
    ratio: str = ""


PAIRS = (
    Pair("reads", "read.per_s", "read.raw_per_s", "/s", True, "read.ratio"),
    Pair("writes with response", "write.per_s", "write.raw_per_s", "/s", True, "write.ratio"),
    Pair(
        "writes without response",
        "write_command.per_s",
        "write_command.raw_per_s",
        "/s",
        True,
        "write_command.ratio",
    ),
    Pair("notifications", "notify.per_s", "notify.raw_per_s", "/s", True, "notify.ratio"),
    Pair("reads of 100 clients", "load.ops_per_s", "load.raw_ops_per_s", "/s", True, "load.ratio"),
    Pair("find, connect, discover", "connect.ms", "connect.raw_ms", "ms", False),
    Pair("setting up a device", "setup.ms", "setup.raw_ms", "ms", False),
    Pair("memory of a device", "setup.kb", "setup.raw_kb", "kB", False),
)


def draw(values: Mapping[str, float | None], pairs: Sequence[Pair] = PAIRS) -> str:
    """Return the SVG; a pair that lacks a value is left out."""
    rows: list[str] = []
    count = 0
    for pair in pairs:
        ours, raw = values.get(pair.ours), values.get(pair.raw)
        if ours is not None and raw is not None and ours > 0 and raw > 0:
            times = values.get(pair.ratio) or (ours / raw if pair.more_is_better else raw / ours)
            rows += _row(pair, ours, raw, times, HEAD + count * ROW)
            count += 1
    height = HEAD + count * ROW + 6
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="{_FONT}" font-size="13" role="img" '
            'aria-label="bletest beside plain bumble">',
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{PAPER}"/>',
            *_legend(),
            *rows,
            "</svg>",
            "",
        )
    )


def _legend() -> list[str]:
    return [
        _bar(20, 18, 13, OURS),
        _text(40, 29, "bletest", INK),
        _bar(110, 18, 13, RAW),
        _text(130, 29, "plain bumble, its own client and LocalLink", INK),
        _text(20, 49, "Each pair has a scale of its own.", FAINT, size=12),
    ]


def _row(pair: Pair, ours: float, raw: float, times: float, top: int) -> list[str]:
    scale = LONGEST / max(ours, raw)
    better = "more is better" if pair.more_is_better else "less is better"
    below = top + BAR + 2
    return [
        _text(LEFT - 12, top + 12, pair.title, INK, anchor="end"),
        _text(LEFT - 12, top + 27, better, FAINT, anchor="end", size=11),
        _bar(LEFT, top, ours * scale, OURS),
        _text(LEFT + ours * scale + 6, top + 11, f"{number(ours)} {pair.unit}", INK),
        _bar(LEFT, below, raw * scale, RAW),
        _text(LEFT + raw * scale + 6, below + 11, f"{number(raw)} {pair.unit}", FAINT),
        _text(WIDTH - 20, top + 20, f"{number(times)}×", INK, anchor="end", size=18),
    ]


def _bar(x: float, y: float, width: float, fill: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{BAR}" fill="{fill}"/>'
    )


def _text(
    x: float, y: float, words: str, fill: str, *, anchor: str = "start", size: int = 13
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" '
        f'font-size="{size}">{escape(words)}</text>'
    )


def number(value: float) -> str:
    """Return three digits that count, with thousands separated."""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}"
