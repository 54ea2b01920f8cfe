"""Wrong arguments of the public functions: one sentence that says what is wrong, or a result; never a raw error."""

import inspect
import re

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig
from tests.support.hostility import right_or_typed

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


CASES = [(name, argument) for name in CALLS for argument in inspect.signature(getattr(ids, name)).parameters]


def test_every_public_function_of_results_is_tried():
    functions = {name for name in dir(ids) if re.match("estimate_|order_|rank_|exact_information|scan_", name)}
    assert functions <= set(CALLS)


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_a_wrong_argument_is_one_sentence_or_a_result(name, argument):
    function = getattr(ids, name)
    for wrong in WRONG.values():
        right_or_typed(lambda wrong=wrong: function(**(CALLS[name] | {argument: wrong})))


@pytest.mark.parametrize("name", CALLS)
def test_control_the_right_arguments_are_accepted(name):
    assert getattr(ids, name)(**CALLS[name]) is not None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"passes": "16"}, "passes must be a positive integer, got '16' (str)"),
        ({"passes": 16.0}, "passes must be a positive integer, got 16.0 (float)"),
        ({"seed": None}, "seed must be a non-negative integer, got None (NoneType)"),
        ({"replicates": 0}, "replicates must be a positive integer, got 0"),
        ({"level": 95}, "a confidence level must be between 0 and 1, got 95"),
        ({"simultaneous": "no"}, "simultaneous must be True or False, got 'no' (str)"),
        ({"device": 0.5}, "device must be a torch device such as 'cpu' or 'cuda', got float"),
        ({"progress": 1}, "progress must be a function of a number of passes, or True for a bar, got int"),
    ],
)
def test_sentences_name_the_argument(change, sentence):
    with pytest.raises(ids.InputError) as refused:
        ids.estimate_nll(LAW, TOKENS, **change)
    assert str(refused.value) == sentence


def test_numpy_integers_are_integers():
    result = ids.estimate_nll(LAW, TOKENS, passes=np.int64(4), replicates=np.int32(4), seed=np.uint8(0))
    np.testing.assert_array_equal(result["nll"], NLL["nll"])


TAKES_RESULTS = {
    "summary": ids.summary,
    "diagnose": ids.diagnose,
    "average": lambda result: ids.average(result, "these"),
    "split_budget": lambda result: ids.split_budget(result, 4000),
    "decide": ids.decide,
    "compare_variances": lambda result: ids.compare_variances(result, result),
}
NO_RESULTS = {
    "a scan": lambda: SCAN,
    "sizes": lambda: ids.estimate_sizes(**CALLS["estimate_sizes"]),
    "information": lambda: ids.estimate_information(**CALLS["estimate_information"]),
    "an order gap": lambda: ids.order_gap(**CALLS["order_gap"]),
    "swaps": lambda: ids.order_swaps(**CALLS["order_swaps"]),
    "a ranking": lambda: ids.rank_candidates(**CALLS["rank_candidates"]),
    "positions": lambda: ids.estimate_positions(**CALLS["estimate_positions"]),
    "a decision": lambda: ids.decide(RATIO),
    "an average": lambda: ids.average(NLL, "these"),
    "a budget": lambda: ids.split_budget(NLL, 4000),
    "no item": lambda: NLL.isel(sequence=[]),
    "a mean": lambda: NLL.mean("sequence"),
    "one replicate": lambda: NLL.isel(replicate=0),
    "one end": lambda: NLL.sel(ci_bound="lower"),
    "a variable": lambda: NLL["nll"],
    "some variables": lambda: NLL[["nll", "nll_ci"]],
    "without attributes": NLL.drop_attrs,
    "a dict": lambda: {"nll": 1.0},
    "nothing": lambda: None,
}


@pytest.mark.parametrize("kind", NO_RESULTS)
@pytest.mark.parametrize("name", TAKES_RESULTS)
def test_other_results_are_one_sentence_or_a_table(name, kind):
    result = NO_RESULTS[kind]()
    right_or_typed(lambda: str(TAKES_RESULTS[name](result)))


def test_a_summary_says_whose_result_it_cannot_take():
    with pytest.raises(ids.InputError, match=r"^a summary needs .* not that of scan_substitutions; rank_substitutions"):
        ids.summary(SCAN)
    with pytest.raises(ids.InputError, match=r"got dict$"):
        ids.summary({})
    with pytest.raises(ids.InputError, match="the items have no names; use average"):
        ids.summary(NLL.mean("sequence"))


@pytest.mark.parametrize("function", [ids.summary, lambda result: ids.average(result, "these"), ids.diagnose])
def test_exact_likelihoods_of_decoders_are_named(function):
    exact = ids.sampler_nll(ids.MarkovChain.random(order=1, alphabet="AB", seed=0), [[0, 1]], "left-to-right")
    with pytest.raises(ids.InputError, match="not that of sampler_nll, which has no error"):
        function(exact)


def test_a_result_is_not_stored_as_a_study(tmp_path):
    result = ids.estimate_nll(ids.MarkovChain.random(order=1, alphabet="AB", seed=0), [[0, 1]], passes=3)
    with pytest.raises(ids.StoreError, match="write_store writes a DataTree, as run_study returns it"):
        ids.write_store(result, tmp_path / "result.nc")
    assert not list(tmp_path.iterdir())


def test_a_summary_of_a_loss_map_has_a_row_per_token():
    frame = ids.summary(ids.estimate_positions(MODEL, RECORD, **SMALL)).to_dataframe()
    assert list(frame.columns) == ["position", "nll", "se", "lower", "upper", "token"]
    assert frame["token"].tolist() == ["a", "b"]


def test_a_selected_item_is_a_result_of_one_item():
    alone, whole = NLL.isel(sequence=1), ids.summary(NLL).to_dataframe()
    assert ids.summary(alone).to_dataframe().loc[0].equals(whole.loc[1].rename(0))
    assert ids.average(alone, "these")["nll"] == NLL["nll"][1]
    assert str(ids.diagnose(alone)) == str(ids.diagnose(NLL.isel(sequence=[1])))
    decided = ids.decide(RATIO.isel(pair=0))
    assert decided["likelier"].values.tolist() == ids.decide(RATIO)["likelier"].values.tolist()
