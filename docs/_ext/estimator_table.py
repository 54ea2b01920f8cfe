"""The estimators of the registry with their traits, and the rules of `auto`, as its own function answers them."""

import numpy as np

from estimators import Auto, Estimator, PassesError, estimator, estimator_names
from estimators.masked.published.base import Published
from estimators.registry import DESIGNS

LENGTHS = (1, 2, 4, 6, 8, 16, 64, 256)
PASSES = (1, 2, 4, 8, 16, 32, 64, 128)
POSITIONS = (4, 8)


def fewest_passes(this: Estimator, length: int) -> int | None:
    """Return the fewest passes that a replicate needs for a number of scored positions; None where none suffice."""
    for passes in range(1, 2**length):
        try:
            this.plan(length, passes, 1, np.random.default_rng(0))
        except PassesError:
            continue
        return passes
    return None


def generate(part: str) -> str:
    """Return a table: ``masked``, ``noised``, ``published``, ``designs``, ``auto`` or ``reasons``."""
    return {
        "masked": lambda: _traits([name for name in estimator_names("masked") if not _published(name)]),
        "noised": lambda: _traits(estimator_names("noised")),
        "published": _published_table,
        "designs": _designs,
        "auto": _choices,
        "reasons": _reasons,
    }[part]()


def _published(name: str) -> bool:
    return isinstance(estimator(name), Published)


def _traits(names: list[str]) -> str:
    """Return a row for each estimator, those that differ in their design alone together."""
    rows = ["| estimator | | unbiased | finite variance | fewest passes for 4, 8 positions |", "|---|---|---|---|---|"]
    plain = [name for name in names if name.partition("+")[0] not in names or "+" not in name]
    for name in plain:
        variants = [other.partition("+")[2] for other in names if other.partition("+")[0] == name and other != name]
        this = estimator(name)
        passes = (
            "chosen" if name == Auto.kind else ", ".join(f"{fewest_passes(this, length):,}" for length in POSITIONS)
        )
        summary = this.summary.removesuffix("; independent points")
        taken = "all" if set(variants) == set(DESIGNS) else ", ".join(variants)
        designs = f"; designs: {taken}" if variants else ""
        rows.append(f"| `{name}` | {summary}{designs} | {_yes(this.unbiased)} | {_variance(this)} | {passes} |")
    return "\n".join(rows)


def _yes(trait: bool) -> str:
    return "yes" if trait else "no"


def _variance(this: Estimator) -> str:
    if this.exact:
        return "none: exact"
    if this.exact_when_consistent:
        return "yes; none for conditionals of one law"
    return "yes" if this.finite_variance else "**no**"


def _published_table() -> str:
    rows = ["| estimator | as published | unbiased | finite variance | for | source |", "|---|---|---|---|---|---|"]
    for name in filter(_published, estimator_names("masked")):
        this = estimator(name)
        assert isinstance(this, Published)
        summary = this.summary.removeprefix("as published ").removesuffix("; independent points").replace("|", r"\|")
        rows.append(
            f"| `{name}` | {summary} | {_yes(this.unbiased)} | {_variance(this)} | {this.purpose} | {this.source} |"
        )
    return "\n".join(rows)


def _designs() -> str:
    rows = ["| design | |", "|---|---|", *(f"| `+{name}` | {design.summary} |" for name, design in DESIGNS.items())]
    return "\n".join(rows)


def _choices() -> str:
    rows = [
        f"| positions | {' | '.join(f'{passes} passes' for passes in PASSES)} |",
        f"|---|{'---|' * len(PASSES)}",
        *(
            f"| {length} | {' | '.join(f'`{Auto().choose(length, passes).estimator.name}`' for passes in PASSES)} |"
            for length in LENGTHS
        ),
    ]
    return "\n".join(rows)


def _reasons() -> str:
    choices = [
        Auto(consistent=consistent, pass_cost=cost).choose(length, passes)
        for consistent, cost in ((False, None), (True, None), (False, 1e-6))
        for length in LENGTHS
        for passes in PASSES
    ]
    reasons = dict.fromkeys((choice.estimator.name, choice.why) for choice in choices)
    rows = ["| `auto` takes | where there are |", "|---|---|", *(f"| `{name}` | {why} |" for name, why in reasons)]
    return "\n".join(rows)
