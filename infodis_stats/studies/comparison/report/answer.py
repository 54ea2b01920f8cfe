"""The answer of a study in words, each sentence with its number."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import xarray as xr
from statsmodels.stats.proportion import proportion_confint

from infodis_stats.diagnostics.verdict import concise, counted
from infodis_stats.plots.numbers import band, percent, significant
from infodis_stats.studies.comparison.report.learned import law_gaps
from infodis_stats.studies.comparison.report.subjects import subject_sentences
from infodis_stats.studies.comparison.report.winners import Winner, winner_of
from infodis_stats.studies.view import Study

__all__ = ["answer", "bias_sentence", "coverage_sentences"]


def answer(study: Study) -> list[str]:
    """Return the study's findings: the best estimators, significant biases, and coverage."""
    summary = study.summary
    coverage, cautioned = coverage_sentences(summary)
    winners = {group: winner_of(study, group) for group in summary["group"].values.tolist()}
    of_groups = [sentence for group, winner in winners.items() for sentence in _winner(summary, group, winner)]
    overall = _overall(summary, list(winners.values())) if len(winners) > 2 else of_groups
    return [
        *subject_sentences(study),
        *_learned(study),
        *overall,
        bias_sentence(summary),
        *coverage,
        *(of_groups if len(winners) > 2 else []),
        *cautioned,
    ]


def _overall(summary: xr.Dataset, winners: list[Winner]) -> list[str]:
    """Count the groups in which each estimator is the best at the largest number of passes."""
    wins = Counter(winner.name for winner in winners if winner.name)
    if not wins:
        return []
    (best, most), *others = wins.most_common(3)
    first = f"{best} has the least variance in {most} of {counted(wins.total(), 'group')}"
    counts = [first, *(f"{name} in {count}" for name, count in others)]
    more = f" (and {counted(len(wins) - 3, 'other')})" if len(wins) > 3 else ""
    tied = sum(bool(winner.tied) for winner in winners)
    ties = f"; in {counted(tied, 'group')} another is not significantly different" if tied else ""
    return [f"At {counted(int(summary['passes'][-1]), 'pass')}, {_listed(counts)}{more}{ties}."]


def _winner(summary: xr.Dataset, group: str, winner: Winner) -> Iterator[str]:
    """Name the best estimator of a group at the largest number of passes where it is not exact, if any is compared."""
    reference = summary.attrs["reference"]
    last = summary.sel(group=group).isel(passes=-1)
    at = f"{f'{group}: ' if summary.sizes['group'] > 1 else ''}At {counted(int(last['passes']), 'pass')}"
    exact = f"{concise(winner.exact)} {'are' if len(winner.exact) > 1 else 'is'} exact" if winner.exact else ""
    ties = f"{concise(winner.tied)} {'are' if len(winner.tied) > 1 else 'is'} not significantly different from it"
    after = "".join(f"; {part}" for part in (ties if winner.tied else "", exact) if part)
    if not winner.name:
        if exact:
            yield f"{at} {exact}."
    elif winner.name == reference:
        yield f"{at} no sound estimator has less variance than {reference}{after}."
    else:
        best = last.sel(estimator=winner.name)
        times = band(float(best["efficiency"]), *best["efficiency_ci"].values.tolist())
        yield f"{at}, {winner.name} has {times} times less variance than {reference}{after}."


def _listed(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def bias_sentence(summary: xr.Dataset) -> str:
    """Name the significantly biased estimators."""
    p_values, z = summary["bias_p"], summary["bias_z"]
    cells = int(p_values.notnull().sum())
    declared = summary["cautions"].sel(caution="biased", drop=True)
    biased = (p_values < 0.05).transpose("group", "estimator", "passes")
    names = sorted({str(biased["estimator"].values[index]) for index in np.argwhere(biased.values)[:, 1]})
    if not names:
        largest = significant(float(np.abs(z.where(~declared)).max()), 2)
        return f"No significant bias: the largest |z| of {counted(cells, 'cell')} is {largest} (Holm, 5 % family-wise)."
    return f"Significantly biased (Holm, 5 % family-wise, {counted(cells, 'cell')}): {', '.join(names)}."


def coverage_sentences(summary: xr.Dataset) -> tuple[list[str], list[str]]:
    """Say how often Student-t intervals of estimators without a caution cover, and at least those with one."""
    level, replicates = summary.attrs["ci_prob"], summary.attrs["interval_replicates"]
    student = summary.sel(interval="student-t")
    clean = ~summary["cautions"].any("caution")
    count = int(student["intervals_pooled"].where(clean).sum())
    sentences: list[str] = []
    if count:
        covered = int((student["coverage_pooled"] * student["intervals_pooled"]).where(clean).round().sum())
        lower, upper = proportion_confint(covered, count, alpha=1 - level, method="wilson")
        sentences.append(
            f"Nominal {100 * level:g} % Student-t intervals from {counted(replicates, 'replicate')} cover "
            f"{percent(covered / count)} % [{percent(lower)}, {percent(upper)}] of the time "
            f"({counted(count, 'interval')} of estimators without a caution); {_departures(student.where(clean))}."
        )
    flagged = student["coverage_pooled"].where(~clean)
    if not flagged.notnull().any():
        return sentences, []
    worst = flagged[tuple(int(place) for place in np.unravel_index(np.nanargmin(flagged.values), flagged.shape))]
    lowest = (
        f"The lowest coverage of an estimator with a caution is {percent(float(worst))} % "
        f"({worst['estimator'].item()}, {worst['group'].item()}, over all passes)."
    )
    return sentences, [lowest]


def _departures(student: xr.Dataset) -> str:
    """Name the cells whose coverage is significantly different from nominal."""
    p_values = student["coverage_p"].transpose("group", "estimator", "passes")
    cells = [
        f"{p_values['estimator'].values[row]} at {counted(int(p_values['passes'].values[column]), 'pass')}"
        + (f", {p_values['group'].values[group]}" if p_values.sizes["group"] > 1 else "")
        + f" ({percent(float(student['coverage'].transpose('group', 'estimator', 'passes')[group, row, column]))} %)"
        for group, row, column in np.argwhere(p_values.values < 0.05).tolist()
    ]
    if not cells:
        return "no cell is significantly different from nominal"
    more = f" and {len(cells) - 4} more" if len(cells) > 4 else ""
    return f"significantly different are {'; '.join(cells[:4])}{more}"


def _learned(study: Study) -> list[str]:
    """Say how far the network's likelihoods are from the law's."""
    gaps = law_gaps(study)
    item = "pair" if study.attrs["quantity"] == "log_ratio" else "sequence"
    return [
        f"{f'{group}: ' if len(gaps) > 1 else ''}The network's value is above the law's by {band(*gap[:3])} nats on "
        f"average over {counted(gap.items, item)} (correlation {significant(gap.correlation)})."
        for group, gap in gaps.items()
    ]
