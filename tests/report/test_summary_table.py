"""The summary table of a result: justified digits only, and no information lost."""

import numpy as np
import pytest

import infodis_stats as ids
from infodis_stats.plots.numbers import significant

LAW = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=3)
FIRST, SECOND = LAW.sample(3, length=12, seed=0), LAW.sample(3, length=12, seed=1)


class Anonymous:
    """The law without its exact values and without its guarantee that the conditionals are consistent."""

    token_nll = staticmethod(LAW.token_nll)


@pytest.fixture(scope="module")
def result():
    return ids.estimate_nll(LAW, FIRST, "uniform-count", passes=8, replicates=8, names=["a", "b<i>", "c & d"])


@pytest.fixture(scope="module")
def ratio():
    second = np.concatenate([SECOND[:2], FIRST[2:]])
    return ids.estimate_log_ratio(LAW, FIRST, second, "uniform-count+stratified", passes=512, replicates=16)


def test_errors_have_two_digits_and_estimates_match_their_precision(result):
    rows = str(ids.summary(result)).splitlines()[2:5]
    for row, name in zip(rows, ("a", "b<i>", "c & d"), strict=True):
        nll, error, lower, upper, exact, _ = row.removeprefix(name).split()
        places = len(error.partition(".")[2])
        assert len(error.replace(".", "").lstrip("0")) == 2
        assert {len(text.partition(".")[2]) for text in (nll, lower, upper, exact)} == {places}
        found = result.sel(sequence=name)
        assert float(nll) == pytest.approx(float(found["nll"]), abs=0.51 * 10.0**-places)
        assert float(exact) == pytest.approx(float(found["exact"]), abs=0.51 * 10.0**-places)


def test_the_frame_has_full_precision(result):
    frame = ids.summary(result).to_dataframe()
    assert list(frame) == ["sequence", "nll", "se", "lower", "upper", "exact", "passes run"]
    np.testing.assert_array_equal(frame["nll"], result["nll"])
    np.testing.assert_allclose(frame["exact"], LAW.nll(FIRST), atol=1e-12)
    np.testing.assert_array_equal(frame[["lower", "upper"]], result["nll_ci"])


def test_other_formats_have_the_same_content(result):
    table = ids.summary(result)
    numbers = str(table).splitlines()[2].split()[1:5]
    for text in (table.to_markdown(), table.to_latex()):
        assert all(number in text for number in numbers)
    assert r"c \& d" in table.to_latex()
    assert table.to_latex().startswith(r"\begin{tabular}{lrrrrrr}")
    assert "(" not in table.to_markdown()


def test_the_table_of_pairs_names_the_likelier_side(ratio):
    frame = ids.summary(ratio).to_dataframe()
    claims = np.where(frame["exact"] > 0, "first", "second").tolist()
    assert frame["likelier"].tolist() == [*claims[:2], "open"]  # the third pair is the same sequence twice
    assert list(frame)[:6] == ["pair", "log_ratio", "se", "lower", "upper", "likelier"]


def test_one_replicate_is_enough_if_the_design_estimates_its_error(ratio):
    second = np.concatenate([SECOND[:2], FIRST[2:]])
    one = ids.estimate_log_ratio(LAW, FIRST, second, "uniform-count+stratified", passes=8192, replicates=1)
    claims = [ids.summary(result).to_dataframe()["likelier"].tolist() for result in (one, ratio)]
    assert claims[0] == claims[1] != ["open"] * 3


def test_anytime_intervals_come_without_claims():
    any_time = ids.estimate_log_ratio(LAW, FIRST, SECOND, "uniform-count", passes=4, interval="anytime")
    assert "likelier" not in ids.summary(any_time).to_dataframe()


def test_control_few_passes_leave_pairs_open():
    """With one pass and two replicates, any claim would be chance."""
    ratio = ids.estimate_log_ratio(LAW, FIRST, SECOND, "uniform-count", passes=1, replicates=2)
    assert ids.summary(ratio).to_dataframe()["likelier"].tolist() == ["open"] * 3


def test_notes_report_choices_and_cautions():
    text = str(ids.summary(ids.estimate_nll(Anonymous(), FIRST[:, :3], passes=8, replicates=2)))
    assert "auto chose exhaustive: all masks fit into the passes: exact." in text
    assert "In 3 of 3 rows all replicates are equal: the interval is a point." in text
    heavy = str(ids.summary(ids.estimate_nll(Anonymous(), FIRST, "time-integral", passes=2, replicates=2)))
    assert "Caution (infinite-variance)" in heavy
    assert "Caution (few-replicates)" in heavy
    assert "exact" not in heavy


def test_rounding_is_not_an_error():
    """Chains of a law agree up to rounding: six decimals are printed, and a note says why."""
    exact = ids.estimate_nll(LAW, FIRST, passes=12, replicates=4)
    assert exact["nll_se"].values.any()  # otherwise this tests nothing
    text = str(ids.summary(exact))
    assert "In 3 of 3 rows all replicates are equal" in text
    assert f"{float(exact['exact'][0]):.6f}  0.000000" in text


def test_texts_are_reported_in_bits(tmp_path):
    model = ids.load_model("austen")
    found = ids.estimate_texts(model, [ids.Record("one", "It is a ", "truth")], passes=8, replicates=4)
    frame = ids.summary(found).to_dataframe()
    assert frame["bits per token"][0] == pytest.approx(frame["nll"][0] / 5 / np.log(2))
    assert frame["bits lower"][0] <= frame["bits per token"][0] <= frame["bits upper"][0]
    assert frame["tokens"].tolist() == [5]


def test_averages_have_the_digits_that_their_errors_justify(result):
    table = ids.summary(ids.average(result, "population"))
    frame = table.to_dataframe()
    assert frame["average"].tolist() == [
        "nats per document",
        "nats per token",
        "bits per token",
        "bits per token, mean over documents",
        "perplexity",
    ]
    assert frame["estimate"][0] == pytest.approx(float(result["nll"].mean()))
    for row in str(table).splitlines()[2:7]:
        estimate, error, lower, upper = row.split()[-4:]
        assert len(error.replace(".", "").lstrip("0")) == 2
        assert len({len(text.partition(".")[2]) for text in (estimate, error, lower, upper)}) == 1
    assert "For the population that 3 documents, 36 tokens were drawn from" in str(table)
    assert "is noise of the masks." in str(table)


def test_win_rates_have_no_standard_error(ratio):
    table = ids.summary(ids.average(ratio, "these"))
    row = str(table).splitlines()[3].split()
    assert row[:3] == ["win-rate", "of", "the"]
    assert row[5] == significant(float("nan"))
    assert "For these 3 documents: the error is that of the masks alone." in str(table)


def test_splits_recommend_an_allocation():
    pilot = ids.estimate_nll(Anonymous(), np.tile(FIRST, (2, 1)), "uniform-count", passes=8, replicates=8)
    split = ids.split_budget(pilot, 20_000, document_cost=100)
    text = str(ids.summary(split))
    best = split.attrs["best"]
    assert f"{best} for each of {int(split['documents'].sel(document_passes=best))} documents" in text
    assert "Assumption: the variance of the masks is inversely proportional to the passes." in text
    free = str(ids.summary(ids.split_budget(pilot, 20_000)))
    assert "the pilot does not extrapolate that far" in free
    exact = ids.estimate_nll(LAW, np.tile(FIRST, (2, 1)), passes=12)
    assert "The masks add no error here" in str(ids.summary(ids.split_budget(exact, 20_000)))


@pytest.mark.parametrize("name", ["scan", "empty"])
def test_input_other_than_a_table_of_estimates_is_rejected(name):
    results = {"scan": ids.scan_substitutions(LAW, FIRST[0], passes=12, replicates=2), "empty": ids.estimate_nll}
    with pytest.raises(ids.InputError, match="a summary needs the result of estimate_nll"):
        ids.summary(results[name])
