"""Two-sided averages of brackets over a data set: from the lower and the upper bounds of the documents."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infodis_stats import analysis
from infodis_stats.results.labels import Variable

__all__ = ["SIDES", "VARIABLES", "bracket_averages"]

FloatArray = NDArray[np.float64]
Entry = tuple[float, float, FloatArray]  # estimate, standard error, ends of the interval

SIDES = {"marginal_lower": "lower bound on the order-marginal", "marginal_upper": "upper bound on the order-marginal"}

VARIABLES = {
    side + name: Variable(units, f"{words} {what}")
    for side, words in SIDES.items()
    for name, units, what in (
        ("", "nat", "negative log-likelihood per document"),
        ("_bits_per_token", "bit", "negative log-likelihood per scored token"),
        ("_bits_per_byte", "bit", "negative log-likelihood per byte"),
        ("_perplexity", "1", "perplexity per scored token"),
    )
}


def bracket_averages(result: xr.Dataset, of: analysis.Of, level: float) -> dict[str, Entry]:
    """Average the bounds of `bracket_nll` over documents.

    Parameters
    ----------
    result : xarray.Dataset
        Of `bracket_nll`, without failed documents.
    of : {"these", "population"}
    level : float

    Returns
    -------
    dict of str to tuple
        Of each average of each side: the estimate, its standard error, and the ends of its interval. The value lies
        between the lower end of the lower bound and the upper end of the upper bound. A document without a lower bound
        counts as 0 in that side: no probability exceeds 1.
    """
    degrees = np.where(result["all_orders"].values, np.inf, np.maximum(result["orders"].values - 1.0, 1.0))
    entries: dict[str, Entry] = {}
    for side in SIDES:
        estimate, error = (result[name].fillna(0.0).values for name in (side, f"{side}_se"))
        documents = analysis.Estimates(estimate, error, degrees)
        entries[side] = _entry(documents, of, level, None)
        bits = analysis.Estimates(documents.estimate / np.log(2), documents.standard_error / np.log(2), degrees)
        per_token = _entry(bits, of, level, result["length"].values)
        entries[f"{side}_bits_per_token"] = per_token
        if "bytes" in result:
            entries[f"{side}_bits_per_byte"] = _entry(bits, of, level, result["bytes"].values)
        with np.errstate(over="ignore"):  # infinite beyond 1,024 bits per token
            perplexity, ends = 2.0 ** np.float64(per_token[0]), 2.0 ** per_token[2]
        entries[f"{side}_perplexity"] = float(perplexity), float(perplexity * np.log(2) * per_token[1]), ends
    return entries


def _entry(documents: analysis.Estimates, of: analysis.Of, level: float, sizes: FloatArray | None) -> Entry:
    mean = analysis.average(documents, of, sizes, level)
    interval = analysis.nonnegative(mean.interval, mean.estimate)
    return mean.estimate, mean.standard_error, np.array([interval.lower, interval.upper])
