"""A user's code, for a type checker: what public names are seen from outside."""

from typing import assert_type

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import infodis_stats as ids


def use() -> None:
    """Use what a user would use first; never called."""
    law = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
    assert_type(law, ids.MarkovChain)
    tokens = law.sample(3, length=16, seed=1)
    result = ids.estimate_nll(law, tokens, "uniform-count+stratified", passes=16, replicates=8, seed=0)
    assert_type(result, xr.Dataset)
    assert_type(law.nll(tokens), NDArray[np.float64])
    assert_type(ids.summary(result), ids.Summary)
    assert_type(ids.diagnose(result), ids.Diagnosis)
    assert_type(ids.compare_variances(result, result), xr.Dataset)
    assert_type(ids.estimator("time-free"), ids.Estimator)
    records = [ids.Record("opening", "It is a truth ", "universally acknowledged")]
    assert_type(ids.estimate_texts(ids.load_model("austen"), records, passes=16), xr.Dataset)
