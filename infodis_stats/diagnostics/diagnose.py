"""The diagnosis of a result or of a study."""

import numpy as np
import xarray as xr

from estimators import InputError
from infodis_stats.analysis import Estimates
from infodis_stats.diagnostics.construction import failure_verdicts, item_caution_verdicts, point_verdicts
from infodis_stats.diagnostics.sampling import running_verdicts, stream_verdicts, tail_verdicts
from infodis_stats.diagnostics.study import study_verdicts
from infodis_stats.diagnostics.truth import precision_verdicts, truth_verdicts
from infodis_stats.diagnostics.verdict import Diagnosis

__all__ = ["diagnose"]


def diagnose(result: xr.Dataset | xr.DataTree) -> Diagnosis:
    """Say whether a result can be believed: a verdict for each check, with its reason and what to do.

    What holds by construction comes first: infinite variance, a bias, few hard tokens. It says more than any sample,
    for the bad samples are the ones that missed what matters. Then come the checks of the sample, each with about
    1 % false alarms over all its sequences where replicates are normal; their docstrings have what was measured, on
    skewed replicates too. Rows without a verdict could not be checked, for want of replicates or of an exact value: one
    replicate tells neither of random streams, nor of a running mean, nor of tails.

    Parameters
    ----------
    result : xarray.Dataset or xarray.DataTree
        Of `estimate_nll`, `estimate_log_ratio` or their kin for texts; or what `run_study` returns.

    Returns
    -------
    Diagnosis
        ``verdict`` (the worst: ``fine``, ``caution`` or ``do not use``), ``overall`` in a sentence, ``verdicts``;
        prints as a table, worst first; ``to_dataframe()``, ``to_markdown()``.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.estimate_nll(law, law.sample(2, length=12, seed=1), "time-integral", passes=8, replicates=8)
    >>> found = ids.diagnose(result)
    >>> found.verdict, found.verdicts[0].check
    ('do not use', 'infinite-variance')
    """
    if isinstance(result, xr.DataTree):
        if "kind" not in result.attrs or "provenance" not in result.children:
            raise InputError("a diagnosis needs a tree that run_study returned")
        return Diagnosis(study_verdicts(result))
    known = result.data_vars if isinstance(result, xr.Dataset) else ()
    name = next((one for one in ("nll", "log_ratio") if one in known), None)
    if name is None or not {f"{name}_replicate", "degrees"} <= set(known) or "cautions" not in known:
        raise InputError("a diagnosis needs the result of estimate_nll, estimate_log_ratio or their kin for texts")
    failed = failure_verdicts(result, name)
    result = result.isel({result[name].dims[0]: np.isfinite(result[name].values)})
    labels: list[object] = result[result[name].dims[0]].values.tolist()
    estimates = Estimates(*(result[key].values for key in (name, f"{name}_se", "degrees")))
    draws = [one[~np.isnan(one)] for one in result[f"{name}_replicate"].values]
    return Diagnosis(
        [
            *failed,
            *item_caution_verdicts(result, labels),
            *point_verdicts(result, estimates, labels),
            *truth_verdicts(result, name, estimates, draws),
            *stream_verdicts(draws, labels),
            *running_verdicts(draws, labels),
            *tail_verdicts(draws, labels),
            *precision_verdicts(result, name),
        ]
    )
