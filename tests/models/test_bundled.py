"""The bundled models: likely is likely, noise is not, and intervals agree with long runs or all masks."""

from importlib import resources

import numpy as np
import pytest
import torch
from safetensors import safe_open

import infodis_stats as ids
from infodis_stats.models.probes import attention_pattern

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


@pytest.fixture(scope="module", params=[4, 16])
def block_model(request):
    return ids.load_model(f"austen-block{request.param}")


def test_the_block_models_are_as_documented(block_model):
    size = block_model.block_size
    digest = {4: "f6cfded00e140a4e", 16: "4fe5675cdb281842"}[size]
    assert block_model.fingerprint().startswith(digest)
    assert sum(parameter.numel() for parameter in block_model.parameters()) == 816_353
    path = resources.files("infodis_stats.models") / "bundled" / f"austen-block{size}.safetensors"
    with resources.as_file(path) as file, safe_open(file, "pt") as stored:
        assert stored.get_tensor("head.weight").dtype == torch.bfloat16
    found = attention_pattern(block_model)
    assert (found.pattern, found.block_size) == ("block-causal", size)


def test_block_models_predict_english_and_not_noise(block_model):
    shuffled = "".join(np.random.default_rng(0).permutation(list(ENGLISH)))
    result = ids.estimate_texts(block_model, [ids.Record("text", "", ENGLISH), ids.Record("noise", "", shuffled)])
    bits = result["bits_per_token_ci"]
    assert bits.sel(sequence="text", ci_bound="upper").item() < 3.2
    assert bits.sel(sequence="noise", ci_bound="lower").item() > 4.2


def test_a_text_of_any_length_is_exact_in_15_passes_at_blocks_of_4():
    """As blocks follow one another, the value of the whole is the sum of those of its parts, given what is before."""
    model = ids.load_model("austen-block4")
    whole = ids.estimate_texts(model, [ids.Record("all", "", ENGLISH)], passes=16, replicates=1)
    assert "exhaustive" in whole.attrs["choices"]
    assert whole.attrs["block_size"] == 4
    assert whole.attrs["forward_passes"] == 15
    np.testing.assert_array_equal(whole["nll_ci"].values[0], [whole["nll"].item()] * 2)
    parts = [ids.Record("first", "", ENGLISH[:40]), ids.Record("rest", ENGLISH[:40], ENGLISH[40:])]
    halves = ids.estimate_texts(model, parts, "exhaustive", passes=15, replicates=1)["nll"].values
    assert halves.sum() == pytest.approx(whole["nll"].item(), abs=1e-3)
    inside = [ids.Record("first", "", ENGLISH[:42]), ids.Record("rest", ENGLISH[:42], ENGLISH[42:])]
    cut = ids.estimate_texts(model, inside, "exhaustive", passes=15, replicates=1)["nll"].values
    assert abs(cut.sum() - whole["nll"].item()) > 1e-3, "control: a cut inside a block is another order"


def test_positions_of_a_block_model_add_up():
    model, record = ids.load_model("austen-block4"), ids.Record("text", "", ENGLISH[:21])
    positions = ids.estimate_positions(model, record, "exhaustive", passes=15, replicates=2)
    whole = ids.estimate_texts(model, [record], passes=16, replicates=1)["nll"].item()
    assert positions["nll"].sum().item() == pytest.approx(whole, abs=1e-6)


MOLECULE = "CC(=O)Nc1ccc(OCC(=O)N2CCCC2)cc1"


@pytest.fixture(scope="module")
def subwords():
    return ids.load_model("austen-bpe")


@pytest.fixture(scope="module")
def molecules():
    return ids.load_model("molecules")


@pytest.fixture(scope="module")
def uniform():
    return ids.load_model("austen-uniform")


@pytest.mark.parametrize(
    ("name", "digest", "parameters", "symbols", "longest"),
    [
        ("austen-bpe", "baec6da4dab4a990", 1_317_760, 2048, 64),
        ("austen-uniform", "89175dd7fb7ed44e", 818_657, 97, 128),
        ("molecules", "800d1df089cd00a6", 798_106, 26, 64),
    ],
)
def test_the_other_models_are_as_documented(name, digest, parameters, symbols, longest):
    model = ids.load_model(name)
    assert model.fingerprint().startswith(digest)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert (model.vocabulary, model.longest) == (symbols, longest)
    path = resources.files("infodis_stats.models") / "bundled" / f"{name}.safetensors"
    with resources.as_file(path) as file, safe_open(file, "pt") as stored:
        assert stored.get_tensor("head.weight").dtype == torch.bfloat16
        assert file.stat().st_size < 5e6


def test_subwords_of_english_are_likely_and_those_of_noise_are_not(subwords, model):
    """They cost less than the characters do under the model of characters, and less than shuffled words."""
    words = " ".join(np.random.default_rng(0).permutation(ENGLISH.split()))
    records = [ids.Record("text", "", ENGLISH), ids.Record("shuffled", "", words)]
    result = ids.estimate_texts(subwords, records, passes=16)
    assert result["length"].values.max() < len(ENGLISH) / 2
    characters = ids.estimate_texts(model, records[:1], passes=16)["bits_per_byte"].item()
    text, shuffled = result["bits_per_byte"].values
    assert characters - 1.0 < text < characters
    assert shuffled > text + 0.2


def test_intervals_of_subwords_agree_with_an_enumeration_of_all_masks(subwords):
    """Six subwords: within 5 standard errors of 16 replicates; control: another ending is not."""
    records = [
        ids.Record("one", "It is a truth universally", " acknowledged, that a"),
        ids.Record("two", "", "the door"),
    ]
    exact = ids.estimate_texts(subwords, records, "exhaustive", passes=255, replicates=2)["nll"].values
    result = ids.estimate_texts(subwords, records, "regression", passes=16, replicates=16)
    assert (np.abs(result["nll"].values - exact) < 5 * result["nll_se"].values + 1e-4).all()
    assert np.abs(result["nll"].values - exact[::-1]).min() > 5 * result["nll_se"].values.max()


def test_molecules_are_likely_and_shuffled_ones_are_not(molecules):
    shuffled = "".join(np.random.default_rng(0).permutation(list(MOLECULE)))
    result = ids.estimate_texts(
        molecules, [ids.Record("good", "", MOLECULE), ids.Record("bad", "", shuffled)], passes=16
    )
    good, bad = result["bits_per_token_ci"].values
    assert good[1] < 1.8
    assert bad[0] > 4.0
    with pytest.raises(ids.InputError, match="character 'x' at position 2 is outside the model's alphabet"):
        ids.estimate_texts(molecules, [ids.Record("text", "", "CCx")], passes=4)


@pytest.mark.slow
def test_english_is_likely_under_uniform_noise_and_intervals_agree_with_a_long_run(uniform):
    """Within 5 standard errors; control: another text is not."""
    shuffled = "".join(np.random.default_rng(0).permutation(list(ENGLISH)))
    records = [ids.Record("text", "", ENGLISH), ids.Record("noise", "", shuffled)]
    long = ids.estimate_texts(uniform, records, passes=128, replicates=8, seed=1)
    result = ids.estimate_texts(uniform, records, passes=32, replicates=8)
    error = np.hypot(result["nll_se"].values, long["nll_se"].values)
    assert (np.abs(result["nll"] - long["nll"]).values < 5 * error).all()
    assert np.abs(result["nll"].values - long["nll"].values[::-1]).min() > 5 * error.max()
    assert result["bits_per_token"].values[0] < 3.8
