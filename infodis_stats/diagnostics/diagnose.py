"""The diagnosis of a result."""

import json
from dataclasses import replace

import numpy as np
import xarray as xr

from estimators import InputError
from infodis_stats.analysis import Estimates
from infodis_stats.diagnostics.construction import caution_verdicts, failure_verdicts, point_verdicts
from infodis_stats.diagnostics.sampling import running_verdicts, stream_verdicts, tail_verdicts
from infodis_stats.diagnostics.truth import precision_verdicts, truth_verdicts
from infodis_stats.diagnostics.verdict import Diagnosis
from infodis_stats.results.validity import CAUTIONS

__all__ = ["diagnose_result"]


def diagnose_result(result: xr.Dataset) -> Diagnosis:
    """Check a result of `estimate_nll`, `estimate_log_ratio` and other functions of the family; see `diagnose`.

    Raises
    ------
    InputError
        If it is none.
    """
    known = result.data_vars if isinstance(result, xr.Dataset) else ()
    name = next((one for one in ("nll", "log_ratio") if one in known), None)
    if name is None or not {f"{name}_replicate", "degrees"} <= set(known) or "cautions" not in result.attrs:
        raise InputError("a diagnosis needs the result of estimate_nll, estimate_log_ratio or their kin for texts")
    failed = failure_verdicts(result, name)
    cautions = json.loads(result.attrs["cautions"])
    result = result.isel({result[name].dims[0]: np.isfinite(result[name].values)})
    labels: list[object] = result[result[name].dims[0]].values.tolist()
    estimates = Estimates(*(result[key].values for key in (name, f"{name}_se", "degrees")))
    draws = [one[~np.isnan(one)] for one in result[f"{name}_replicate"].values]
    return Diagnosis(
        [
            *failed,
            *caution_verdicts(replace(CAUTIONS[key], sentence=words) for key, words in cautions.items()),
            *point_verdicts(result, estimates, labels),
            *truth_verdicts(result, name, estimates, draws),
            *stream_verdicts(draws, labels),
            *running_verdicts(draws, labels),
            *tail_verdicts(draws, labels),
            *precision_verdicts(result, name),
        ]
    )
