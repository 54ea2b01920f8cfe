"""The diagnosis of a result."""

import numpy as np
import xarray as xr

from estimators import InputError
from infodis_stats.analysis import Estimates
from infodis_stats.diagnostics.construction import failure_verdicts, item_caution_verdicts, point_verdicts
from infodis_stats.diagnostics.sampling import running_verdicts, stream_verdicts, tail_verdicts
from infodis_stats.diagnostics.truth import precision_verdicts, truth_verdicts
from infodis_stats.diagnostics.verdict import Diagnosis
from infodis_stats.results.quantity import quantity_of

__all__ = ["diagnose_result"]


def diagnose_result(result: xr.Dataset) -> Diagnosis:
    """Check a result of `estimate_nll`, `estimate_log_ratio` and other functions of the family; see `diagnose`.

    Raises
    ------
    InputError
        If it is not such a result.
    """
    if isinstance(result, xr.Dataset) and "symbol" in result.dims:
        raise InputError(
            "a scan has no diagnosis, because its substitutions share their masks: rank_substitutions names the "
            "cautions of each"
        )
    name, result = quantity_of(result, "a diagnosis", "degrees")
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
