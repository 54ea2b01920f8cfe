"""The answer of a comparison of corpora in words, each sentence with its number."""

import xarray as xr

from infodis_stats.report.numbers import band, percent
from infodis_stats.studies.view import Study

__all__ = ["answer"]


def answer(study: Study) -> list[str]:
    """Return the findings: how well each corpus is told from the reference, what it costs more, what the masks add."""
    summary = study.summary
    reference = summary.attrs["reference"]
    others = [name for name in summary["corpus"].values.tolist() if name != reference]
    base = summary.sel(corpus=reference)
    cost = band(float(base["bits_per_token"]), *base["bits_per_token_ci"].values.tolist())
    shares = summary["mask_share"].values
    return [
        *(_told(summary.sel(corpus=name), name, reference) for name in others),
        f"{reference} itself costs {cost} bits a token.",
        f"Noise of the masks is {percent(float(shares.min()))} to {percent(float(shares.max()))} % of the variance "
        f"between texts at {_budget(study)}.",
    ]


def _told(one: xr.Dataset, name: str, reference: str) -> str:
    last = one.isel(passes=-1)
    area = band(float(last["auroc"]), *last["auroc_ci"].values.tolist())
    lower, upper = one["difference_ci"].values.tolist()
    difference = band(float(one["difference"]), lower, upper)
    verdict = "costs more" if lower > 0 else "costs less" if upper < 0 else "is not found to cost more or less"
    return (
        f"{name[0].upper()}{name[1:]} {verdict} than {reference}: by {difference} bits a token; "
        f"one estimate of {int(last['passes'])} passes tells a text of it from one of {reference} "
        f"with an AUROC of {area}."
    )


def _budget(study: Study) -> str:
    draws = study.draws
    return f"{int(draws['passes'].values[-1])} passes x {draws.sizes['replicate']} replicates a text"
