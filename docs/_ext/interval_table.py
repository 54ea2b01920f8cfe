"""The kinds of confidence intervals and the cautions of results."""

from infodis_stats.results.error_bars import interval_kind, interval_names
from infodis_stats.results.validity import CAUTIONS


def generate(part: str) -> str:
    """Return a table: ``intervals`` or ``cautions``."""
    if part == "cautions":
        rows = [f"| `{key}` | {each.sentence} | {each.verdict} | {each.advice} |" for key, each in CAUTIONS.items()]
        return "\n".join(["| caution | | verdict | what to do |", "|---|---|---|---|", *rows])
    rows = [f"| `{name}` | {interval_kind(name).summary} |" for name in interval_names()]
    return "\n".join(["| interval | |", "|---|---|", *rows])
