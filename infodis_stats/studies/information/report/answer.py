"""The answer of a study of information in words, each sentence with its number."""

import numpy as np
import xarray as xr

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.numbers import band, significant
from infodis_stats.studies.comparison.report.answer import bias_sentence, coverage_sentences
from infodis_stats.studies.view import Study

__all__ = ["answer", "inside"]


def answer(study: Study) -> list[str]:
    """Return the findings: the best family at equal passes, biases, coverage, and agreement of curves."""
    summary, curves = study.summary, study["curves"]
    last = summary.isel(passes=-1)
    coverage, cautioned = coverage_sentences(summary)
    leads = [_lead(last.sel(group=group), summary.attrs["reference"]) for group in summary["group"].values.tolist()]
    overall = _overall(last)
    return [
        *(overall or leads),
        bias_sentence(summary),
        *_totals(curves),
        *coverage,
        *(leads if overall else []),
        *_bands(curves),
        *cautioned,
    ]


def _overall(last: xr.Dataset) -> list[str]:
    """Count the groups in which each family has less variance, and by how much; empty for a single group."""
    compared = last.isel(group=last["lead"].notnull().values)
    if compared.sizes["group"] < 2:
        return []
    lower, upper = (compared["lead_ci"].sel(ci_bound=end).values for end in ("lower", "upper"))
    masks, scores = int((upper < 1).sum()), int((lower > 1).sum())
    with np.errstate(divide="ignore"):
        times = 1 / compared["lead"].values
    return [
        f"At {counted(int(last['passes']), 'pass')} masks have less variance in {masks} of {len(times)} groups, score "
        f"entropies in {scores}: the best score entropy has {significant(times.min())} to {significant(times.max())} "
        "times the variance of the best masked estimator."
    ]


def _lead(part: xr.Dataset, reference: str) -> str:
    """Say whether the best score entropy or the best masked estimator has less variance."""
    where = f"{part['group'].item()}: at {counted(int(part['passes']), 'pass')}"
    masked, noised, lead = part["best_masked"].item(), part["best_noised"].item(), float(part["lead"])
    if not (masked and noised):
        return f"{where} there are no two families to compare."
    if not 0 < lead < np.inf:
        exact = f"{masked} and {noised} are" if np.isnan(lead) else f"{noised if lead else masked} is"
        return f"{where} {exact} exact."
    lower, upper = part["lead_ci"].values.tolist()
    if lower <= 1 <= upper:
        gap = f"{noised} and {masked} are not significantly different ({band(lead, lower, upper)} times less variance)"
    elif lead > 1:
        gap = f"{noised} has {band(lead, lower, upper)} times less variance than {masked}"
    else:
        gap = f"{masked} has {band(1 / lead, 1 / upper, 1 / lower)} times less variance than {noised}"
    gain = part.sel(estimator=noised)
    gain_words = band(float(gain["efficiency"]), *gain["efficiency_ci"].values.tolist())
    return f"{where} {gap}, the best of each family; the score entropy has a gain of {gain_words} over {reference}."


def _totals(curves: xr.Dataset) -> list[str]:
    """Say whether the information without noise equals the entropy."""
    p_values = curves["entropy_p"].transpose("group", "noise")
    known = int(p_values.notnull().sum())
    if not known:
        return []
    rejected = (p_values < 0.05).values
    if rejected.any():
        names = [
            f"{curves['group'].values[row]} under {curves['noise'].values[column]} noise"
            for row, column in np.argwhere(rejected).tolist()
        ]
        return [f"The information without noise differs significantly from the entropy of the law: {', '.join(names)}."]
    largest = float(np.abs(curves["entropy_z"]).max())
    return [
        "The information without noise agrees with the entropy of the law, whatever the noise: the largest |z| of "
        f"{counted(known, 'total')} is {significant(largest, 2)} (Holm, 5 % family-wise)."
    ]


def inside(curves: xr.Dataset) -> xr.DataArray:
    """Return whether each band contains the whole exact curve (group, noise): 1 or 0, NaN where it is not known."""
    exact, ends = curves["exact"], curves["information_ci"]
    contained = (ends.sel(ci_bound="lower") <= exact + 1e-9) & (exact - 1e-9 <= ends.sel(ci_bound="upper"))
    return (
        contained.all("noise_level").astype(float).where(exact.notnull().all("noise_level")).transpose("group", "noise")
    )


def _bands(curves: xr.Dataset) -> list[str]:
    """Count the bands that contain the exact curve."""
    contained = inside(curves)
    known = int(contained.notnull().sum())
    level = f"{100 * curves.attrs['ci_prob']:g}"
    return (
        [f"{int(contained.sum())} of {counted(known, f'nominal {level} % band')} contain the whole exact curve."]
        if known
        else []
    )
