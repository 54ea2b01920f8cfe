"""The diagnosis of scans of substitutions."""

from collections.abc import Iterable, Mapping

import numpy as np
import scipy
import xarray as xr
from numpy.typing import NDArray

from infodis_stats.analysis import Estimates, family_wise
from infodis_stats.analysis.replicates import rounding
from infodis_stats.diagnostics.construction import caution_verdicts
from infodis_stats.diagnostics.verdict import Diagnosis, Verdict, concise, counted
from infodis_stats.results.validity import CAUTIONS, NO_CLAIM

__all__ = ["diagnose_scans"]

FALSE_ALARM = 0.01

BoolArray = NDArray[np.bool_]


def diagnose_scans(scans: Mapping[str, xr.Dataset]) -> Diagnosis:
    """Check the scans of a page: the cautions of their substitutions, and exact values where they are known.

    The substitutions of a scan share their masks, so checks that need independent rows are left out. Holm's adjustment
    of the t tests against the exact values does not need independence.

    Parameters
    ----------
    scans : mapping of str to xarray.Dataset
        As returned by `scan_substitutions`, by the sequence's name.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> scan = ids.scan_substitutions(law, law.encode(["GAT"])[0], "exhaustive", passes=7)
    >>> [(verdict.check, verdict.verdict) for verdict in diagnose_scans({"codon": scan}).verdicts]
    [('construction', 'fine'), ('exact value', 'fine')]
    """
    names = [name for label, scan in scans.items() for name in _names(scan, label if len(scans) > 1 else "")]
    held = {
        key: np.concatenate([_of_substitutions(scan, scan["cautions"].sel(caution=key)) for scan in scans.values()])
        for key in CAUTIONS
        if all(key in scan["caution"] for scan in scans.values())
    }
    cautions = [_caution(key, names, rows) for key, rows in held.items() if rows.any()]
    return Diagnosis([*(cautions or caution_verdicts([])), *_exact(scans.values(), names)])


def _caution(key: str, names: list[str], rows: BoolArray) -> Verdict:
    caution = CAUTIONS[key]
    items = tuple(name for name, flag in zip(names, rows, strict=True) if flag)
    claims = "; none of these gets a verdict" if key in NO_CLAIM else ""
    measured = f"{len(items)} of {counted(len(names), 'substitution')}: {concise(items)}{claims}"
    return Verdict(key, caution.verdict, caution.sentence, caution.advice, measured, items)


def _exact(scans: Iterable[xr.Dataset], names: list[str]) -> list[Verdict]:
    """Compare with the exact values, if they are known for all scans."""
    parts = list(scans)
    if not all("exact" in scan for scan in parts):
        return []
    fields = ("log_ratio", "log_ratio_se", "degrees", "exact")
    estimate, error, degrees, exact = (
        np.concatenate([_of_substitutions(scan, scan[name]) for scan in parts]) for name in fields
    )
    gap = np.where(np.abs(estimate - exact) <= rounding(exact), 0.0, estimate - exact)
    statistic = np.abs(Estimates(gap, error, degrees).statistic)
    off = family_wise(2 * scipy.stats.t.sf(statistic, degrees)) < FALSE_ALARM
    measured = f"largest |z| {float(statistic.max()):.3g} of {counted(len(names), 'substitution')}"
    if not off.any():
        return [Verdict("exact value", "fine", "estimates agree with the exact values", "", measured)]
    items = tuple(name for name, flag in zip(names, off, strict=True) if flag)
    reason = f"estimates differ significantly from the exact values ({concise(items)})"
    return [Verdict("exact value", "do not use", reason, "use auto, or more passes and replicates", measured, items)]


def _names(scan: xr.Dataset, label: str) -> list[str]:
    """Name the substitutions, in the order of `_of_substitutions`."""
    before = f"{label} " if label else ""
    sites = zip(scan["original"].values.tolist(), scan["site"].values.tolist(), strict=True)
    symbols = scan["symbol"].values.tolist()
    return [f"{before}{old}{site}{new}" for old, site in sites for new in symbols if new != old]


def _of_substitutions(scan: xr.Dataset, variable: xr.DataArray) -> NDArray[np.generic]:
    """Return a variable of the substitutions, without the original symbols."""
    values = variable.transpose("position", "symbol").values
    return np.asarray(values[scan["original"].values[:, None] != scan["symbol"].values[None, :]])
