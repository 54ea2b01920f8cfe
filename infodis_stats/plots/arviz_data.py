"""Results as the data that arviz takes."""

from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from estimators import InputError
from infodis_stats.results.labels import with_estimates
from infodis_stats.results.quantity import quantity_of

__all__ = ["to_arviz"]

MOST_CHAINS = 4
FEWEST_DRAWS = 4  # of a chain, for r-hat


def to_arviz(result: xr.Dataset) -> Any:
    """Convert the replicates of a result to data for arviz, as for ``az.summary``, ``az.plot_forest`` and ``az.ess``.

    Replicates are independent draws with one distribution, not a Markov chain. In their order they are cut into chains
    of equal length: 4 chains, or 3 or 2, whichever first divides their number into chains of at least 4 draws; else one
    chain. No replicate is left out, so that means are the estimates. Any cut of independent draws is valid; this one
    makes ``r_hat`` a comparison of the first replicates with the last, and ``ess_bulk`` is about the number of
    replicates. With a single chain there is no ``r_hat``.

    In ``az.summary``, ``mean`` is the estimate, ``mcse_mean`` is about its standard error, and ``sd`` and the interval
    describe single replicates: the confidence interval of the estimate is the result's own.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio` or another estimate. Failed items are left out.

    Returns
    -------
    InferenceData or xarray.DataTree
        What the installed version of arviz takes (a DataTree from 1.0 on), with a group ``posterior`` of one variable,
        ``nll`` or ``log_ratio (chain, draw, item)``, in nats.

    Raises
    ------
    InputError
        If it is no such result, all items have failed, or items have different numbers of replicates, as with
        ``precision``.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.estimate_nll(law, law.sample(2, length=12, seed=1), replicates=16)
    >>> data = ids.to_arviz(result)  # doctest: +SKIP
    >>> dict(data.posterior.sizes)  # doctest: +SKIP
    {'chain': 4, 'draw': 4, 'sequence': 2}
    """
    name, result = quantity_of(result, "to_arviz")
    result = with_estimates(result)
    unit = str(result[name].dims[0])
    if not result.sizes[unit]:
        raise InputError(f"to_arviz needs at least one {unit} that has not failed")
    draws = result[f"{name}_replicate"].transpose(unit, "replicate").values
    drawn = ~np.isnan(draws)
    counts = drawn.sum(axis=1)
    if counts.min() < counts.max():
        raise InputError(
            f"to_arviz needs the same number of replicates of every {unit}, got {counts.min()} to {counts.max()}: "
            f"select {unit}s with equal numbers, result.isel({unit}=(result.replicates == {counts.max()}).values)"
        )
    values = draws[drawn].reshape(len(draws), -1)
    chains = _chains(values.shape[1])
    posterior = xr.Dataset(
        {name: (("chain", "draw", unit), values.T.reshape(chains, -1, len(draws)), result[name].attrs)},
        coords={"chain": np.arange(chains), "draw": np.arange(values.shape[1] // chains), unit: result[unit].values},
        attrs={"estimator": result.attrs["estimator"], "created_by": "infodis-stats"},
    )
    if int(version("arviz").partition(".")[0]) >= 1:
        return xr.DataTree.from_dict({"posterior": posterior})
    from arviz import InferenceData  # noqa: PLC0415  takes seconds, and may warn

    return InferenceData(posterior=posterior)


def _chains(replicates: int) -> int:
    """Return the largest number of chains that divides the replicates into long enough ones.

    Examples
    --------
    >>> [_chains(replicates) for replicates in (64, 16, 18, 10, 7, 2)]
    [4, 4, 3, 2, 1, 1]
    """
    fitting = (count for count in range(MOST_CHAINS, 1, -1) if replicates % count == 0)
    return next((count for count in fitting if replicates // count >= FEWEST_DRAWS), 1)
