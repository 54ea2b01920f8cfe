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
    """Check whether a result is valid: a verdict for each check, with its reason and advice.

    Cautions by construction come first: infinite variance, a bias, few hard tokens. No sample can replace them, because
    the bad samples are those that missed what matters. Then come checks of the sample, each with about 1 % false alarms
    over all its sequences if replicates are normal; their docstrings have measurements, also for skewed replicates.
    Checks that need more replicates or an exact value are left out: with one replicate, those of random streams, of the
    running mean and of tails.

    Parameters
    ----------
    result : xarray.Dataset or xarray.DataTree
        Of `estimate_nll`, `estimate_log_ratio` or another estimate, or what `run_study` returns.

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
    >>> diagnosis = ids.diagnose(result)
    >>> diagnosis.verdict, diagnosis.verdicts[0].check
    ('do not use', 'infinite-variance')
    """
    if isinstance(result, xr.DataTree):
        if "kind" not in result.attrs or "provenance" not in result.children:
            raise InputError("a diagnosis needs a tree that run_study returned")
        return Diagnosis(study_verdicts(result))
    known = result.data_vars if isinstance(result, xr.Dataset) else ()
    name = next((quantity for quantity in ("nll", "log_ratio") if quantity in known), None)
    if name is None or not {f"{name}_replicate", "degrees"} <= set(known) or "cautions" not in known:
        raise InputError("a diagnosis needs the result of estimate_nll, estimate_log_ratio or another estimate")
    failed = failure_verdicts(result, name)
    result = result.isel({result[name].dims[0]: np.isfinite(result[name].values)})
    labels: list[object] = result[result[name].dims[0]].values.tolist()
    estimates = Estimates(*(result[key].values for key in (name, f"{name}_se", "degrees")))
    draws = [row[~np.isnan(row)] for row in result[f"{name}_replicate"].values]
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
