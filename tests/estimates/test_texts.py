"""Texts: windows add up to the whole record, and estimates agree with an enumeration of all masks."""

import itertools

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.estimates.texts import estimate_text_ratios, estimate_texts, windows
from infodis_stats.io.records import Record, TextPair
from infodis_stats.models import Denoiser, DenoiserConfig


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    one = Denoiser(DenoiserConfig("abc ", length=8, layers=1, width=16, heads=2))
    for parameter in one.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return one.eval()


@pytest.mark.parametrize(("prompt", "response", "overlap"), [*itertools.product([0, 3, 7, 12], [1, 6, 20], [0, 3, 7])])
def test_every_token_is_scored_once_with_the_promised_context(prompt, response, overlap):
    tokens = np.arange(prompt + response)
    scored = []
    for number, window in enumerate(windows(tokens[:prompt], tokens[prompt:], 8, overlap)):
        assert len(window.tokens) <= 8
        assert (np.diff(window.tokens) == 1).all()
        scored += window.tokens[window.context :].tolist()
        if number:
            assert window.context == min(overlap, window.tokens[window.context])
    assert scored == list(range(prompt, prompt + response))


def test_short_records_are_one_window_and_long_ones_need_an_overlap():
    (whole,) = windows(np.arange(3), np.arange(3, 8), 8, None)
    assert (len(whole.tokens), whole.context) == (8, 3)
    with pytest.raises(ids.InputError, match="have 9 tokens and the model takes 8; give an overlap"):
        windows(np.arange(3), np.arange(3, 9), 8, None)
    with pytest.raises(ids.InputError, match="below the model's 8 tokens, got 8"):
        windows(np.arange(3), np.arange(3, 9), 8, 8)


def test_records_are_estimated_given_their_prompts(model):
    records = [Record("one", "ab", "ca b"), Record("two", "", "ccc")]
    result = estimate_texts(model, records, "exhaustive", passes=15, replicates=2)
    for record in records:
        tokens = model.encode(record.prompt + record.response)
        exact = ids.estimator("exhaustive").sample(
            model, [tokens], passes=15, replicates=1, rng=0, context=len(record.prompt)
        )
        assert result["nll"].sel(sequence=record.name).item() == pytest.approx(exact.item(), rel=1e-6)
    assert result["length"].values.tolist() == [4, 3]
    bits = result["nll"] / result["length"] / np.log(2)
    np.testing.assert_allclose(result["bits_per_token"], bits)
    assert result["bits_per_token"].attrs["units"] == "bit"


def test_texts_are_measured_in_bits_per_byte_and_per_word():
    wide = Denoiser(DenoiserConfig("ab é", length=16, layers=1, width=16, heads=2)).eval()
    result = estimate_texts(wide, [Record("accents", "ab ", "é  bé a ")], passes=4, replicates=4)
    assert (result["length"].item(), result["bytes"].item(), result["words"].item()) == (8, 10, 3)
    for unit, count in (("byte", 10), ("word", 3)):
        per_unit = result[f"bits_per_{unit}"]
        assert per_unit.item() == pytest.approx(result["nll"].item() / np.log(2) / count)
        np.testing.assert_allclose(result[f"bits_per_{unit}_ci"], result["nll_ci"] / np.log(2) / count)
        assert per_unit.attrs == {"units": "bit", "long_name": f"negative log-likelihood per {unit}"}


def test_averages_of_texts_are_micro_and_macro(model):
    records = [Record(text, "", text) for text in ("a b", "abc abc", "bb", "caba b")]
    result = estimate_texts(model, records, "uniform-count+stratified", passes=4, replicates=4)
    bits = result["nll"].values / np.log(2)
    sizes = {"token": result["length"].values, "byte": result["bytes"].values, "word": result["words"].values}
    for of in ("these", "population"):
        averaged = ids.average(result, of)
        for unit, size in sizes.items():
            assert averaged[f"bits_per_{unit}"].item() == pytest.approx(bits.sum() / size.sum())
        for unit in ("token", "byte"):
            macro = averaged[f"bits_per_{unit}_macro"]
            assert macro.item() == pytest.approx((bits / sizes[unit]).mean())
            assert abs(macro - averaged[f"bits_per_{unit}"]) > 0.01  # control: the two differ
        assert averaged.attrs["bytes"] == 3 + 7 + 2 + 6
    macro_error = np.sqrt(((result["nll_se"].values / np.log(2) / sizes["byte"]) ** 2).sum()) / 4
    assert ids.average(result, "these")["bits_per_byte_macro_se"].item() == pytest.approx(macro_error)


def test_a_summary_of_texts_prints_bits_per_byte_and_returns_the_rest(model):
    table = ids.summary(estimate_texts(model, [Record("one", "ab", "ca b")], passes=4, replicates=4))
    heading = str(table).splitlines()[0]
    assert "bits per byte" in heading
    assert "bits per word" not in heading
    frame = table.to_dataframe()
    assert frame["words"].tolist() == [2]
    assert (frame["bits per word"] == 2 * frame["bits per byte"]).all()


def test_long_records_are_the_sum_of_their_windows(model):
    text = "abcab cabca bcab"
    result = estimate_texts(model, [Record("long", "ab", text)], "exhaustive", overlap=4, passes=63, replicates=2)
    parts = windows(model.encode("ab"), model.encode(text), 8, 4)
    assert result["windows"].item() == len(parts) == 4
    total = sum(
        ids.estimator("exhaustive")
        .sample(model, [part.tokens], passes=255, replicates=1, rng=0, context=part.context)
        .item()
        for part in parts
    )
    assert result["nll"].item() == pytest.approx(total, rel=1e-6)
    assert result["length"].item() == len(text)


def test_windows_have_independent_random_numbers(model):
    result = estimate_texts(model, [Record("long", "", "abcabc" * 4)], "time-free", overlap=0, passes=2, replicates=64)
    single = estimate_texts(model, [Record("long", "", "abcabcab")], "time-free", passes=2, replicates=64)
    # Three independent windows of one law have three times the variance of one, not nine times (sd of the log: 0.25).
    ratio = (result["nll_se"].item() / single["nll_se"].item()) ** 2
    assert 1.2 < ratio < 6


def test_errors_name_the_record(model):
    for prompt in ("", "ab"):
        with pytest.raises(ids.InputError, match="'q': the response is empty; there is nothing to score"):
            estimate_texts(model, [Record("one", "", "a"), Record("q", prompt, "")])
    with pytest.raises(ids.InputError, match="'q': character 'z' at position 1 is outside"):
        estimate_texts(model, [Record("q", "", "az")])
    with pytest.raises(ids.InputError, match="'q': prompt and response have 9 tokens"):
        estimate_texts(model, [Record("q", "", "abcabcabc")])


def test_ratios_of_texts_are_differences_of_their_nlls(model):
    pairs = [TextPair("same length", "ab", "ca", "cc"), TextPair("other", "", "abc", "b")]
    result = estimate_text_ratios(model, pairs, "exhaustive", passes=7, replicates=2)
    for pair in pairs:
        sides = [Record("first", pair.prompt, pair.first), Record("second", pair.prompt, pair.second)]
        first, second = estimate_texts(model, sides, "exhaustive", passes=7, replicates=2)["nll"].values
        assert result["log_ratio"].sel(pair=pair.name).item() == pytest.approx(second - first, rel=1e-5)
    sampled = estimate_text_ratios(model, pairs, "uniform-count", passes=16, replicates=16)
    assert (np.abs(sampled["log_ratio"] - result["log_ratio"]) < 6 * sampled["log_ratio_se"]).all()
    with pytest.raises(ids.InputError, match="'long' has 9 tokens, but the model takes at most 8"):
        estimate_text_ratios(model, [TextPair("long", "abcabc", "abc", "a")])
