"""Two-sided averages of brackets over a data set: from lower and upper bounds on each document."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infodis_stats import analysis
from infodis_stats.results.labels import CI_BOUND, Variable

__all__ = ["VARIABLES", "bracket_averages"]

FloatArray = NDArray[np.float64]

VARIABLES = {
    "marginal": Variable("nat", "bounds on the negative log-likelihood of random-order sampling, mean over documents"),
    "marginal_bracket": Variable("nat", "confidence interval of the mean between the bounds"),
    "marginal_bits_per_token": Variable("bit", "bounds per scored token, of random-order sampling"),
    "marginal_bits_per_token_bracket": Variable("bit", "confidence interval of the bits per token between the bounds"),
    "marginal_bits_per_byte": Variable("bit", "bounds per byte, of random-order sampling"),
    "marginal_bits_per_byte_bracket": Variable("bit", "confidence interval of the bits per byte between the bounds"),
    "marginal_perplexity": Variable("1", "bounds on the perplexity per scored token, of random-order sampling"),
    "marginal_perplexity_bracket": Variable("1", "confidence interval of the perplexity between the bounds"),
}


def bracket_averages(result: xr.Dataset, of: analysis.Of, level: float) -> dict[str, xr.Variable]:
    """Average the bounds of `bracket_nll` over documents.

    Parameters
    ----------
    result : xarray.Dataset
        Of `bracket_nll`, without failed documents.
    of : {"these", "population"}
    level : float

    Returns
    -------
    dict of str to xarray.Variable
        Of each average the bounds and the bracket, both ``(ci_bound)``: the lower end of the bracket is that of the
        confidence interval of the mean lower bound, the upper end that of the mean upper bound. Where a document has no
        lower bound, neither has the average: NaN, and the bracket begins at 0 nats.
    """
    lengths = result["length"].values.astype(np.float64)
    sizes: dict[str, FloatArray | None] = {"marginal": None, "marginal_bits_per_token": lengths}
    if "bytes" in result:
        sizes["marginal_bits_per_byte"] = result["bytes"].values.astype(np.float64)
    ends = {name: _ends(result, of, level, 1.0 if size is None else np.log(2), size) for name, size in sizes.items()}
    per_token = (end * np.log(2) for end in ends["marginal_bits_per_token"])
    with np.errstate(over="ignore"):  # infinite beyond 709 nats per token
        bounds, bracket = (np.exp(end) for end in per_token)
    ends["marginal_perplexity"] = bounds, bracket
    return {
        name + suffix: xr.Variable(CI_BOUND[0], values)
        for name, (bounds, bracket) in ends.items()
        for suffix, values in (("", bounds), ("_bracket", bracket))
    }


def _ends(
    result: xr.Dataset, of: analysis.Of, level: float, scale: float, sizes: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    degrees = np.where(result["all_orders"].values, np.inf, np.maximum(result["orders"].values - 1.0, 1.0))
    bounds, bracket = np.zeros(2), np.zeros(2)
    for side, name in enumerate(("marginal_lower", "marginal_upper")):
        estimate, error = result[name].values / scale, result[f"{name}_se"].values / scale
        if np.isnan(estimate).any():
            bounds[side] = np.nan
            continue
        mean = analysis.average(analysis.Estimates(estimate, error, degrees), of, sizes, level)
        bounds[side] = mean.estimate
        bracket[side] = np.maximum(0.0, mean.interval.lower if side == 0 else mean.interval.upper)
    return bounds, bracket
