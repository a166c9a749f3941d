"""Bar charts from the figures of a run: python -m benchmarks.graphs FIGURES.json FOLDER

Creates one SVG for each entry of GRAPHS. It contains only rectangles and text, so it is small, and has
its own background, so it is readable on dark pages. The scale is logarithmic, because the figures
differ by a factor of a hundred.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

OWN = "Chatty"
WIDTH, LABELS, VALUES, ROW, TOP = 760, 190, 110, 34, 74
STYLE = (
    "text{font:15px system-ui,sans-serif;fill:#1f2433}.title{font-weight:600}.note{font-size:13px;"
    "fill:#5b6172}.own{font-weight:600}"
)


@dataclass(frozen=True)
class Graph:
    """`least`: the start of the axis, in the unit of the figure."""

    file: str
    scenario: str
    what: str
    title: str
    least: float


GRAPHS = (
    Graph(
        "fan-out-200.svg",
        "fan-out to 200",
        "CPU per delivery",
        "CPU time per delivery with 200 recipients",
        1,
    ),
    Graph(
        "fan-out-1000.svg",
        "fan-out to 1,000",
        "CPU per delivery",
        "CPU time per delivery with 1,000 recipients",
        1,
    ),
    Graph(
        "sends.svg",
        "durable sends",
        "CPU per send",
        "CPU time per message: stored, acknowledged, delivered to two",
        10,
    ),
    Graph(
        "connect.svg",
        "connect storm",
        "CPU per connection",
        "CPU time per connection",
        0.1,
    ),
)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    run = json.loads(Path(arguments[0]).read_text())
    folder = Path(arguments[1])
    for graph in GRAPHS:
        bars = [
            each
            for each in run["figures"]
            if (each["scenario"], each["what"]) == (graph.scenario, graph.what)
        ]
        if not bars:
            print(f"No figures of {graph.scenario} in {arguments[0]}.", file=sys.stderr)
            return 1
        (folder / graph.file).write_text(drawn(graph, bars, noted(run)))
        print(folder / graph.file)
    return 0


def noted(run: dict[str, Any]) -> str:
    machine = run["machine"].rpartition(", Linux")[0]
    rounds = len(run["figures"][0]["values"])
    return f"Lower is better. Logarithmic scale. {machine}, {run['date'][:10]}, median of {rounds}."


def drawn(graph: Graph, figures: list[dict[str, Any]], note: str) -> str:
    """Return the SVG. `figures`: from benchmarks.measure.Sheet.as_json(), one per contender."""
    bars = sorted(figures, key=lambda each: float(each["median"]))
    most = max(each["median"] for each in bars)
    room = WIDTH - LABELS - VALUES
    height = TOP + ROW * len(bars) + 8
    rows = []
    for place, each in enumerate(bars):
        value, own = each["median"], each["contender"] == OWN
        share = math.log(max(value, graph.least) / graph.least) / math.log(most / graph.least)
        width, y = max(2, round(share * room)), TOP + ROW * place
        kind = ' class="own"' if own else ""
        shown = f"{value:,.{0 if value >= 100 else 1}f} {each['unit']}"
        rows.append(
            f'<text{kind} x="{LABELS - 12}" y="{y + 19}" text-anchor="end">'
            f"{escape(each['contender'])}</text>"
            f'<rect x="{LABELS}" y="{y + 2}" width="{width}" height="{ROW - 10}" rx="5"'
            f' fill="{"#4f46e5" if own else "#a7adbd"}"/>'
            f'<text{kind} x="{LABELS + width + 10}" y="{y + 19}">{escape(shown)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
        f"<title>{escape(graph.title)}</title><style>{STYLE}</style>"
        f'<rect width="{WIDTH}" height="{height}" rx="12" fill="#fff"/>'
        f'<text class="title" x="16" y="30">{escape(graph.title)}</text>'
        f'<text class="note" x="16" y="54">{escape(note)}</text>{"".join(rows)}</svg>\n'
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
