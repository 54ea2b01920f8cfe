"""Every result names its estimand, and what was stored before results did still prints."""

import numpy as np

import infodis_stats as ids
from infodis_stats.results.estimands import ESTIMANDS, estimand_in_words, estimand_notes
from tests.support.toys import ArbitraryLosses

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(3, length=6, seed=1)


def results():
    single = {"passes": 4, "replicates": 4}
    nll = ids.estimate_nll(LAW, TOKENS, **single)
    yield "any-order", nll
    yield "any-order", ids.average(nll, "these")
    yield "any-order", ids.estimate_log_ratio(LAW, TOKENS[:1], TOKENS[1:2], "uniform-count", **single)
    yield "any-order", ids.estimate_sizes(LAW, TOKENS, passes=64)
    yield "any-order", ids.rank_candidates(LAW, TOKENS)
    yield "score-entropy(uniform)", ids.estimate_nll(LAW, TOKENS, "score-entropy(uniform)", **single)
    yield "order-gap", ids.order_gap(LAW, TOKENS, orders=3)
    yield "order-swap", ids.order_swaps(LAW, TOKENS)
    yield "mutual-information", ids.estimate_information(LAW, ids.Uniform(), length=4, sequences=16)


def test_every_result_names_its_estimand():
    for expected, result in results():
        assert result.attrs["estimand"] == expected
        assert estimand_in_words(expected).startswith(f"{expected}, ")


def test_auto_names_the_estimand_of_what_it_chooses():
    class Ratios:
        noise, vocabulary_size = ids.Uniform(), 4

        def log_ratios(self, noised, acts, total_noise, noise):
            return LAW.log_ratios(noised, acts, total_noise, noise)

    assert ids.estimate_nll(Ratios(), TOKENS, passes=8).attrs["estimand"] == "score-entropy(uniform)"
    assert ids.estimate_nll(ArbitraryLosses(6), TOKENS, passes=8).attrs["estimand"] == "any-order"


def test_summaries_explain_the_estimand_and_old_results_still_print():
    result = ids.estimate_nll(LAW, TOKENS, passes=8)
    assert "Estimand: any-order, the mean over orders of -log p(x | order), an upper bound" in str(ids.summary(result))
    del result.attrs["estimand"]
    assert "Estimand" not in str(ids.summary(result))
    assert ids.average(result, "these").attrs.get("estimand") is None


def test_sentences_are_phrases_that_continue_a_sentence():
    assert all(words[0] in "-t" and not words.endswith(".") for words in ESTIMANDS.values())


def test_control_an_unknown_estimand_is_not_explained():
    assert estimand_in_words("wrong") == "wrong"
    assert estimand_notes({"estimand": "any-order; score-entropy(uniform)"})[1].startswith("Estimand: score-entropy")


def test_the_inequality_that_the_sentences_state():
    gaps = ids.order_gap(ArbitraryLosses(6), TOKENS, orders=64)
    assert (gaps["order_gap"].values > 0).all()
    assert np.abs(ids.order_gap(LAW, TOKENS, orders=8)["order_gap"].values).max() < 1e-9
