"""The answer of a study of blocks in words, each sentence with its number."""

import numpy as np
import xarray as xr

from infodis_stats.report.numbers import band, percent, significant
from infodis_stats.studies.view import Study

__all__ = ["answer", "has_exact_values", "perplexity"]


def answer(study: Study) -> list[str]:
    """Return the findings: how far off single draws are, and what the block structure brings."""
    summary, single = study.summary, study["single_summary"]
    names = summary["subject"].values.tolist()
    return [
        *(_single(study, single.sel(subject=name)) for name in names),
        *(_variances(summary.sel(subject=name)) for name in names),
    ]


def has_exact_values(study: Study, subject: str) -> bool:
    """Return whether all masks of each block of a subject's texts were run."""
    truth = study.truth
    return bool(truth["enumerated"].values[truth["subject"].values == subject].all())


def perplexity(bits: float) -> float:
    """Return the perplexity per token of a value in bits per token."""
    return float(2.0**bits)


def _single(study: Study, part: xr.Dataset) -> str:
    """Say how far single draws of a subject are from the exact values: the first estimator, then the others."""
    subject, texts, bits = str(part["subject"].item()), int(part["texts"]), float(part["bits"])
    word = "exact" if has_exact_values(study, subject) else "reference"
    first, *others = part["estimator"].values.tolist()
    low, high = (significant(perplexity(bits + end)) for end in part["set_range"].sel(estimator=first).values.tolist())
    sentences = [
        f"{subject}: the {word} perplexity per token of the {texts} texts together is {significant(perplexity(bits))}, "
        f"and 90 % of single draws of {first} give {low} to {high}.",
        f"For one text, {_off(part, first)} of them are off by more than 10 %"
        + "".join(f", {_off(part, name)} with {name}" for name in others)
        + ".",
    ]
    return " ".join(sentences)


def _off(part: xr.Dataset, name: str) -> str:
    return f"{percent(float(part['text_off'].sel(estimator=name)))} %"


def _variances(part: xr.Dataset) -> str:
    """Say how many times less variance the first estimator has with blocks, from when on it is exact, and the others."""
    subject = part["subject"].item()
    first, *others = part["estimator"].values.tolist()
    main = part.sel(estimator=first)
    finite = np.isfinite(main["ratio"].values)
    quotes = [
        f"{band(float(cell['ratio']), *cell['ratio_ci'].values.tolist())} at {_passes(int(cell['passes']))}"
        for cell in (main.isel(passes=int(place)) for place in _quoted(np.flatnonzero(finite)))
    ]
    exact = np.flatnonzero((main["exact_texts"] == main["compared"]).values)
    sentences = []
    if quotes:
        sentences.append(
            f"{subject}: planned block by block, {first} has {_listed(quotes)} times less variance than under masks "
            "over the whole sequence."
        )
    if len(exact):
        start = f"From {_passes(int(main['passes'][int(exact[0])]))} on, "
        sentences.append(f"{start}{first} is exact with blocks, and not without them.")
    ratios = part["ratio"].sel(estimator=others).values
    ratios = ratios[np.isfinite(ratios)]
    if len(ratios):
        sentences.append(
            f"The ratios of the other estimators are {significant(float(ratios.min()), 2)} to "
            f"{significant(float(ratios.max()), 2)}."
        )
    return " ".join(sentences) if sentences else f"{subject}: no variances to compare."


def _quoted(places: np.ndarray) -> list[int]:
    """Choose the first, the middle and the last of some places."""
    return sorted({int(places[len(places) * step // 2 if step < 2 else -1]) for step in range(3)}) if len(places) else []


def _passes(count: int) -> str:
    return f"{count} pass{'' if count == 1 else 'es'}"


def _listed(quotes: list[str]) -> str:
    *first, last = quotes
    return f"{', '.join(first)} and {last}" if first else last
