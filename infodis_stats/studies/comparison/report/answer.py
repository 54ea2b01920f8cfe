"""The answer of a study in words, each sentence with its number."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from statsmodels.stats.proportion import proportion_confint

from infodis_stats.diagnostics.verdict import concise
from infodis_stats.report.numbers import band, percent, significant
from infodis_stats.studies.comparison.report.learned import law_gaps
from infodis_stats.studies.comparison.report.subjects import subject_sentences
from infodis_stats.studies.view import Study

__all__ = ["answer", "bias_sentence", "coverage_sentences"]

UNTRUSTED = ("infinite-variance", "biased")


def answer(study: Study) -> list[str]:
    """Return the study's findings: the best estimators, significant biases, and coverage."""
    summary = study.summary
    return [
        *subject_sentences(study),
        *(sentence for group in summary["group"].values.tolist() for sentence in _winner(summary, group)),
        bias_sentence(summary),
        *coverage_sentences(summary),
        *_learned(study),
    ]


def _winner(summary: xr.Dataset, group: str) -> Iterator[str]:
    """Name the best estimator of a group at the largest number of passes where it is not exact, if any is compared."""
    reference = summary.attrs["reference"]
    where = f"{group}: " if summary.sizes["group"] > 1 else ""
    last = summary.sel(group=group).isel(passes=-1)
    names = last["estimator"].values.tolist()
    sound = ~last["cautions"].sel(caution=list(UNTRUSTED)).any("caution").values
    ratios = np.where(sound & np.isfinite(last["efficiency"].values), last["efficiency"].values, -np.inf)
    best = int(ratios.argmax())
    passes = int(last["passes"])
    exact = [
        name for name, infinite in zip(names, np.isinf(last["efficiency"].values) & sound, strict=True) if infinite
    ]
    tail = f" {concise(exact)} {'are' if len(exact) > 1 else 'is'} exact." if exact else ""
    if not np.isfinite(ratios).any():
        if exact:
            yield f"{where}At {passes} passes{tail}"
    elif names[best] == reference:
        yield f"{where}At {passes} passes no sound estimator has less variance than {reference}.{tail}"
    else:
        lower, upper = last["efficiency_ci"].values[best].tolist()
        yield (
            f"{where}At {passes} passes, {names[best]} has {band(float(ratios[best]), lower, upper)} times less "
            f"variance than {reference}.{tail}"
        )


def bias_sentence(summary: xr.Dataset) -> str:
    """Name the significantly biased estimators."""
    p_values, z = summary["bias_p"], summary["bias_z"]
    cells = int(p_values.notnull().sum())
    declared = summary["cautions"].sel(caution="biased", drop=True)
    biased = (p_values < 0.05).transpose("group", "estimator", "passes")
    names = sorted({str(biased["estimator"].values[index]) for index in np.argwhere(biased.values)[:, 1]})
    if not names:
        largest = significant(float(np.abs(z.where(~declared)).max()), 2)
        return f"No significant bias: the largest |z| of {cells} cells is {largest} (Holm, 5 % family-wise)."
    return f"Significantly biased (Holm, 5 % family-wise, {cells} cells): {', '.join(names)}."


def coverage_sentences(summary: xr.Dataset) -> list[str]:
    """Say how often Student-t intervals cover, separately for estimators with and without a caution."""
    level, replicates = summary.attrs["ci_prob"], summary.attrs["interval_replicates"]
    student = summary.sel(interval="student-t")
    clean = ~summary["cautions"].any("caution")
    count = int(student["intervals_pooled"].where(clean).sum())
    sentences = []
    if count:
        covered = int((student["coverage_pooled"] * student["intervals_pooled"]).where(clean).round().sum())
        lower, upper = proportion_confint(covered, count, alpha=1 - level, method="wilson")
        sentences.append(
            f"Nominal {100 * level:g} % Student-t intervals from {replicates} replicates cover "
            f"{percent(covered / count)} % [{percent(lower)}, {percent(upper)}] of the time ({count:,} intervals of "
            f"estimators without a caution); {_departures(student.where(clean))}."
        )
    flagged = student["coverage_pooled"].where(~clean)
    if flagged.notnull().any():
        index = np.unravel_index(np.nanargmin(flagged.values), flagged.shape)
        worst = flagged[tuple(int(position) for position in index)]
        sentences.append(
            f"The lowest coverage of an estimator with a caution is {percent(float(worst))} % "
            f"({worst['estimator'].item()}, {worst['group'].item()}, over all passes)."
        )
    return sentences


def _departures(student: xr.Dataset) -> str:
    """Name the cells whose coverage is significantly different from nominal."""
    p_values = student["coverage_p"].transpose("group", "estimator", "passes")
    cells = [
        f"{p_values['estimator'].values[row]} at {p_values['passes'].values[column]} passes"
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
    items = "pairs" if study.attrs["quantity"] == "log_ratio" else "sequences"
    return [
        f"{f'{group}: ' if len(gaps) > 1 else ''}The network's value is above the law's by {band(*gap[:3])} nats on "
        f"average over {gap.items} {items} (correlation {significant(gap.correlation)})."
        for group, gap in gaps.items()
    ]
