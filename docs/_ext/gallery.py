"""The gallery of reports: a card for each page in reports/, with its title, verdict, first finding and first figure."""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

REPORTS = Path(__file__).parents[2] / "reports"

KINDS = {
    "frontier": "Which estimator is best?",
    "calibration": "Do intervals cover?",
    "comparison": "Comparisons of estimators",
    "likelihoods": "Which likelihood?",
    "blocks": "Block diffusion",
    "corpora": "Corpora under a model",
    "information": "Score entropies and masks",
    "scan": "Substitution scans",
}
"""Headings of the kinds of study, in the order of the page; ``scan`` is what `infodis-stats scan` writes."""

VERDICT = re.compile(r"^\*\*(fine|caution|do not use)\*\*", re.MULTILINE)
BADGES = {"fine": "success", "caution": "warning", "do not use": "danger"}


class Report(NamedTuple):
    """What a card shows of a report."""

    page: str
    kind: str
    title: str
    verdict: str
    finding: str
    figure: str


def read_report(path: Path) -> Report:
    """Read what a card shows from the Markdown of a report.

    Parameters
    ----------
    path : Path
        ``report.md`` or ``scan.md``. The study file is beside its folder.
    """
    text = path.read_text(encoding="utf-8")
    study = path.parent.with_suffix(".toml")
    kind = tomllib.loads(study.read_text(encoding="utf-8")).get("kind", "comparison") if study.exists() else path.stem
    verdict = VERDICT.search(text)
    findings = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
    first = next((finding for finding in findings if not finding.startswith(tuple(f"{word}:" for word in BADGES))), "")
    figure = re.search(r"!\[[^\]]*\]\((figures/[^)]+)\)", text)
    return Report(
        page=f"{path.parent.name}/{path.stem}.html",
        kind=kind,
        title=text.splitlines()[0].removeprefix("# "),
        verdict=verdict[1] if verdict else "",
        finding=_shortened(first),
        figure=f"../../reports/{path.parent.name}/{figure[1]}" if figure else "",
    )


def _shortened(finding: str, most: int = 260) -> str:
    """Return a finding, or as many of its clauses as fit."""
    if len(finding) <= most:
        return finding
    clauses = re.split(r"(?<=;) ", finding)
    kept = [clauses[0]]
    for clause in clauses[1:]:
        if len(" ".join([*kept, clause])) > most:
            break
        kept.append(clause)
    return " ".join(kept).rstrip(";") + ("" if len(kept) == len(clauses) else " …")


def reports() -> list[Report]:
    """Return all reports, by their names."""
    paths = sorted([*REPORTS.glob("*/report.md"), *REPORTS.glob("*/scan.md")], key=lambda path: path.parent.name)
    return [read_report(path) for path in paths]


def _card(report: Report) -> str:
    lines = [f":::{{grid-item-card}} {report.title}", f":link: {report.page}", ":link-type: url"]
    lines += [f":img-bottom: {report.figure}", ":img-alt: "] if report.figure else []
    verdict = f"{{bdg-{BADGES[report.verdict]}}}`{report.verdict}` " if report.verdict else ""
    return "\n".join([*lines, "", f"{verdict}{report.finding}", ":::"])


def generate() -> str:
    """Return a grid of cards for each kind of study."""
    found = reports()
    parts = []
    for kind, heading in KINDS.items():
        cards = [_card(report) for report in found if report.kind == kind]
        if cards:
            parts += [f"## {heading}", "", "::::{grid} 1 1 2 2", ":gutter: 3", "", *cards, "::::", ""]
    return "\n".join(parts)
