"""The table of the benchmarks: two runs beside each other, in ratios to the yardsticks of each run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from infodis_stats.io.tables import markdown_table
from tests.benchmarks.measure import LLADA_SECONDS, ROOT, Row

REPORTS = ROOT / "reports"
RUNS = REPORTS / "speed"
OPENING = """\
# Speed and memory

`make bench` measures this table anew, on one thread, in processor time unless a line says otherwise. Seconds depend on
the machine and on its load: compare ratios. A time is relative to a bare forward pass of the bundled `austen`
model (a row of 128 characters, 0.8 million parameters) and to a product of two float64 matrices of 512 x 512, both
measured in the same run. The column "LLaDA-8B rows" divides it by 5 ms, which a row of 512 tokens takes through that
network on an H100: a declared constant that was not measured here. "Before" is {before}. (positions, passes) are those
of one text. Units other than "austen passes" are ratios, shares or memory, as the line says; wall-clock seconds and the
speed of two workers depend on what else the machine does.

`make gpu` measures what needs an accelerator. It has not been run: no accelerator was at hand. Its table would be
`reports/gpu.md`.
"""
BEFORE = "commit 804e681"


def write_run(rows: Sequence[Row], name: str) -> None:
    """Keep a run: each number as a ratio to the yardsticks of the run, and the seconds for orientation."""
    product, austen = (row.value for row in rows[:2])
    timed = [row.unit == "seconds" for row in rows]
    pairs = list(zip(rows, timed, strict=True))
    frame = pd.DataFrame(
        {
            "section": [row.section for row in rows],
            "cell": [row.cell for row in rows],
            "unit": ["austen passes" if time else row.unit for row, time in pairs],
            "value": [row.value / austen if time else row.value for row, time in pairs],
            "matrix products": [row.value / product if time else None for row, time in pairs],
            "seconds": [row.value if time else None for row, time in pairs],
        }
    )
    RUNS.mkdir(exist_ok=True)
    frame.to_csv(RUNS / f"{name}.csv", index=False, float_format="%.4g")


def write_table() -> Path:
    """Write `reports/speed.md` from the runs that are kept."""
    before, after = (_run(name) for name in ("before", "after"))
    cells = [*after.index, *(cell for cell in before.index if cell not in after.index)]
    rows = []
    for section, cell in cells:
        old, new = (run.loc[(section, cell)] if (section, cell) in run.index else None for run in (before, after))
        shown = old if new is None else new
        values = [float("nan") if one is None else float(one["value"]) for one in (old, new)]
        seconds = float(shown["seconds"])
        rows.append(
            {
                "measured": f"{section}: {cell}",
                "unit": shown["unit"],
                "before": _number(values[0]),
                "after": _number(values[1]),
                "after / before": _number(values[1] / values[0] if values[0] else float("nan")),
                "matrix products": _number(float(shown["matrix products"])),
                "LLaDA-8B rows": _number(seconds / LLADA_SECONDS),
                "processor time": _duration(seconds),
            }
        )
    table = markdown_table(pd.DataFrame(rows), ["left", "left", *["right"] * 6])
    path = REPORTS / "speed.md"
    path.write_text(f"{OPENING.format(before=BEFORE)}\n{table}\n", encoding="utf-8")
    return path


def _run(name: str) -> pd.DataFrame:
    path = RUNS / f"{name}.csv"
    index = ["section", "cell"]
    return pd.read_csv(path).set_index(index) if path.exists() else pd.DataFrame(columns=index).set_index(index)


def _number(value: float) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _duration(seconds: float) -> str:
    if np.isnan(seconds):
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
