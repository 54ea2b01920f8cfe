"""The bundled model: English is likely, noise is not, and intervals agree with an enumeration of all masks."""

import numpy as np
import pytest

import infodis_stats as ids

ENGLISH = "She was not to be prevailed upon by her mother to stay another evening."
RECORDS = [
    ids.Record("likely", "It is a truth universally ", "acknowle"),
    ids.Record("plain", "", "the door"),
    ids.Record("odd", "He said that he would be ", "zq xkvw!"),
]


@pytest.fixture(scope="module")
def model():
    return ids.load_model("austen")


def test_the_model_is_as_documented(model):
    assert model.fingerprint().startswith("1760d351289d6ead")
    assert sum(parameter.numel() for parameter in model.parameters()) == 816_353
    assert (len(model.config.alphabet), model.longest) == (97, 128)


def test_english_is_likely_and_noise_is_not(model):
    shuffled = "".join(np.random.default_rng(0).permutation(list(ENGLISH)))
    result = ids.estimate_texts(model, [ids.Record("text", "", ENGLISH), ids.Record("noise", "", shuffled)], passes=16)
    upper = result["bits_per_token_ci"].sel(sequence="text", ci_bound="upper").item()
    lower = result["bits_per_token_ci"].sel(sequence="noise", ci_bound="lower").item()
    assert upper < 3.2
    assert lower > 4.2


def test_intervals_agree_with_an_enumeration_of_all_masks(model):
    """Three texts of eight characters: within 5 standard errors of 16 replicates (t with 15 degrees: 5e-4 overall)."""
    exact = ids.estimate_texts(model, RECORDS, "exhaustive", passes=255, replicates=2)
    result = ids.estimate_texts(model, RECORDS, passes=16, replicates=16)
    z = (result["nll"] - exact["nll"]) / result["nll_se"]
    assert (np.abs(z) < 5).all()
    assert (result["nll_se"] < 0.1 * exact["nll"]).all()
    wrong = ids.estimate_texts(model, [*RECORDS[1:], RECORDS[0]], "exhaustive", passes=255, replicates=2)["nll"].values
    assert (np.abs((result["nll"].values - wrong) / result["nll_se"].values) > 5).any()


def test_a_short_prompt_changes_the_likelihood(model):
    given = ids.estimate_texts(model, RECORDS[:1], "exhaustive", passes=255, replicates=2)["nll"].item()
    bare = ids.estimate_texts(
        model, [ids.Record("bare", "", RECORDS[0].response)], "exhaustive", passes=255, replicates=2
    )["nll"].item()
    assert given < bare - 2
