"""Wrong arguments of the public functions: one sentence that says what is wrong, or a result; never a raw error."""

import numpy as np
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(4, length=4, seed=1)
MODEL = Denoiser(DenoiserConfig("ab ", length=8, layers=1, width=16, heads=2)).eval()
RECORD = ids.Record("one", "a ", "ab")
NLL = ids.estimate_nll(LAW, TOKENS, passes=4, replicates=4)
RATIO = ids.estimate_log_ratio(LAW, TOKENS[:1], TOKENS[1:2], passes=4, replicates=4)
SCAN = ids.scan_substitutions(LAW, TOKENS[0], passes=4, replicates=2)
SMALL = {"passes": 4, "replicates": 2}

CALLS = {
    "estimate_nll": {"model": LAW, "tokens": TOKENS, **SMALL},
    "estimate_log_ratio": {"model": LAW, "first": TOKENS[:1], "second": TOKENS[1:2], **SMALL},
    "estimate_model_log_ratio": {"first_model": LAW, "second_model": LAW, "tokens": TOKENS, **SMALL},
    "estimate_texts": {"model": MODEL, "records": [RECORD], **SMALL},
    "estimate_text_ratios": {"model": MODEL, "pairs": [ids.TextPair("one", "", "ab", "ba")], **SMALL},
    "estimate_positions": {"model": MODEL, "record": RECORD, **SMALL},
    "estimate_sizes": {"model": LAW, "tokens": TOKENS, **SMALL},
    "estimate_information": {"law": LAW, "noise": ids.Uniform(), "length": 3, "sequences": 8},
    "exact_information": {"law": LAW, "noise": ids.Uniform(), "total_noise": [1.0], "length": 3},
    "order_gap": {"model": LAW, "tokens": TOKENS, "orders": 3},
    "order_swaps": {"model": LAW, "tokens": TOKENS, "swaps": 2},
    "rank_candidates": {"model": LAW, "candidates": TOKENS, "most_passes": 64, **SMALL},
    "rank_texts": {"model": MODEL, "prompt": "a", "answers": ["ab", "ba"], "most_passes": 64, **SMALL},
    "scan_substitutions": {"model": LAW, "tokens": TOKENS[0], **SMALL},
    "rank_substitutions": {"scan": SCAN},
    "average": {"result": NLL, "of": "these"},
    "split_budget": {"result": NLL, "budget": 4000},
    "decide": {"result": RATIO},
    "compare_variances": {"first": NLL, "second": ids.estimate_nll(LAW, TOKENS, "time-free", passes=4, replicates=4)},
    "summary": {"result": NLL},
    "diagnose": {"result": NLL},
}
WRONG = {
    "None": None,
    "text": "16",
    "a float": 16.0,
    "a negative number": -1,
    "zero": 0,
    "a large number": 95,
    "not a number": float("nan"),
    "a bool": True,
    "a list": ["a"],
    "an empty list": [],
    "a dict": {"nll": 1.0},
    "a numpy integer": np.int64(2),
    "a numpy float": np.float64(0.5),
    "a tensor": torch.tensor(2),
    "an array": np.zeros((2, 2)),
    "an object": object(),
}


def test_every_estimate_and_inference_is_called():
    import infodis_stats.public  # noqa: F401, PLC0415
