"""The answer of a comparison of corpora in words, each sentence with its number."""

import xarray as xr

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.numbers import band, percent
from infodis_stats.studies.view import Study

__all__ = ["answer"]


def answer(study: Study) -> list[str]:
    """Return the findings: differences from the reference corpus, the largest first, its cost, and the mask noise."""
    summary = study.summary
    reference = summary.attrs["reference"]
    others = [name for name in summary["corpus"].values.tolist() if name != reference]
    others.sort(key=lambda name: -abs(float(summary["difference"].sel(corpus=name))))
    base = summary.sel(corpus=reference)
    cost = band(float(base["bits_per_token"]), *base["bits_per_token_ci"].values.tolist())
    shares = summary["mask_share"].values
    return [
        *(_difference(summary.sel(corpus=name), name, reference) for name in others),
        f"{reference[0].upper()}{reference[1:]} itself costs {cost} bits per token.",
        f"Noise of the masks is {percent(float(shares.min()))} to {percent(float(shares.max()))} % of the variance "
        f"between texts at {_budget(study)}.",
    ]


def _difference(part: xr.Dataset, name: str, reference: str) -> str:
    last = part.isel(passes=-1)
    area = band(float(last["auroc"]), *last["auroc_ci"].values.tolist())
    lower, upper = part["difference_ci"].values.tolist()
    difference = band(float(part["difference"]), lower, upper)
    text = f"{name[0].upper()}{name[1:]}"
    if lower > 0 or upper < 0:
        more = "more" if lower > 0 else "less"
        cost = f"{text} costs significantly {more} than {reference}: by {difference} bits per token"
    else:
        cost = f"{text} and {reference} are not significantly different in cost: {difference} bits per token"
    passes = counted(int(last["passes"]), "pass")
    return f"{cost}; one estimate of {passes} discriminates between their texts with an AUROC of {area}."


def _budget(study: Study) -> str:
    draws = study.draws
    return f"{counted(int(draws['passes'].values[-1]), 'pass')} x {draws.sizes['replicate']} replicates per text"
