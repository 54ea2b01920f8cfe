"""The answer of a study of blocks in words, each sentence with its number."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.numbers import band, percent, significant
from infodis_stats.studies.view import Study

__all__ = ["answer", "has_exact_values", "perplexity"]


def answer(study: Study) -> list[str]:
    """Return the findings: how far off single draws are, and how much variance the blocks save."""
    summary, single = study.summary, study["single_summary"]
    names = summary["subject"].values.tolist()
    singles = [_single(study, single.sel(subject=name)) for name in names]
    variances = [_variances(summary.sel(subject=name)) for name in names]
    return [
        *(main for main, *_ in [*singles, *variances]),
        *(sentence for _, *others in [*variances, *singles] for sentence in others),
    ]


def has_exact_values(study: Study, subject: str) -> bool:
    """Return whether all masks of each block of a subject's texts were run."""
    truth = study.truth
    return bool(truth["enumerated"].values[truth["subject"].values == subject].all())


def perplexity(bits: float) -> float:
    """Return the perplexity per token of a value in bits per token."""
    return float(2.0**bits)


def _single(study: Study, part: xr.Dataset) -> list[str]:
    """Say how far single draws of a subject are from the exact values: the first estimator, then all of them."""
    subject, texts = str(part["subject"].item()), int(part["texts"])
    word = "exact" if has_exact_values(study, subject) else "reference"
    value = significant(perplexity(float(part["bits"])))
    first, *others = part["estimator"].values.tolist()
    off = _listed([f"{percent(float(part['text_off'].sel(estimator=name)))} % of {name}" for name in (first, *others)])
    of_others = _listed([f"{_perplexities(part, name)} ({name})" for name in others])
    return [
        f"{subject}: the {word} perplexity per token of all {counted(texts, 'text')} is {value}; 90 % of the single "
        f"draws of {first} give {_perplexities(part, first)}.",
        f"{subject}, text by text: the perplexity is off by more than 10 % in this share of single draws: {off}.",
        *([f"{subject}, all texts together: the other estimators give {of_others}."] if others else []),
    ]


def _perplexities(part: xr.Dataset, name: str) -> str:
    bits, tails = float(part["bits"]), part["set_range"].sel(estimator=name).values.tolist()
    return " to ".join(significant(perplexity(bits + end)) for end in tails)


def _variances(part: xr.Dataset) -> list[str]:
    """Say how much larger the variance of the first estimator is without blocks, and where it is exact with them."""
    subject = part["subject"].item()
    first, *others = part["estimator"].values.tolist()
    main = part.sel(estimator=first)
    places = _quoted(np.flatnonzero(np.isfinite(main["ratio"].values)))
    quotes = [
        f"{_ratio(cell)} ({counted(int(cell['passes']), 'pass')})" for cell in (main.isel(passes=row) for row in places)
    ]
    exact = np.flatnonzero((main["exact_texts"] == main["compared"]).values)
    sentences = []
    if quotes:
        sentences.append(f"{subject}: without its blocks, the variance of {first} is {_listed(quotes)} times as large.")
    if len(exact):
        start, masks = counted(int(main["passes"][int(exact[0])]), "pass"), 2 ** int(part["block_size"]) - 1
        sentences.append(
            f"{subject}: from {start} on, {first} is exact with blocks, all masks of which take "
            f"{counted(masks, 'pass')}, and not without."
        )
    known = [name for name in others if part["mean_ratio"].sel(estimator=name).notnull()]
    if known:
        means = [f"{_ratio(part.sel(estimator=name), 'mean_ratio')} ({name})" for name in known]
        sentences.append(
            f"{subject}: without its blocks, the variances of the others are, on average over all passes, "
            f"{_listed(means)} times as large."
        )
    return sentences or [f"{subject}: there are no variances to compare."]


def _quoted(places: NDArray[np.int64]) -> list[int]:
    """Choose the first, the middle and the last of some places."""
    return sorted({int(places[place]) for place in (0, len(places) // 2, -1)}) if len(places) else []


def _ratio(part: xr.Dataset, name: str = "ratio") -> str:
    lower, upper = part[f"{name}_ci"].values.tolist()
    return band(float(part[name]), lower, upper, digits=2)


def _listed(quotes: list[str]) -> str:
    *first, last = quotes or [""]
    return f"{', '.join(first)} and {last}" if first else last
