"""Symbols of a denoiser: characters and byte pairs, which round-trip any text."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig, load_model
from infodis_stats.models.denoisers.symbols import BytePairs
from infodis_stats.models.vocabulary import symbol_names

PAIRS = BytePairs.learned(["the cat and the hat and the mat"] * 3, size=266)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_byte_pairs_round_trip_any_text(text):
    tokens = PAIRS.encode(text)
    assert PAIRS.decode(tokens) == text
    assert ((tokens >= 0) & (tokens < PAIRS.size)).all()


def test_frequent_pairs_are_single_tokens():
    assert len(PAIRS.encode(" the")) == 1
    assert len(PAIRS.encode("xyz")) == 3


def test_sizes_that_cannot_be_learned_are_refused():
    with pytest.raises(ids.InputError, match="more than 256 tokens"):
        BytePairs.learned(["aa"], size=256)
    with pytest.raises(ids.InputError, match="only enough pairs for 257 tokens, 300 were asked for"):
        BytePairs.learned(["aa"], size=300)


def test_a_denoiser_of_byte_pairs_scores_text_in_its_own_tokens(tmp_path):
    torch.manual_seed(0)
    config = DenoiserConfig(tokenizer=PAIRS.definition, length=16, layers=1, width=16, heads=2)
    path = tmp_path / "pairs.safetensors"
    Denoiser(config).save(path)
    model = load_model(path)
    result = ids.estimate_texts(model, [ids.Record("one", "the cat", " and thé hat")], passes=8, replicates=2)
    tokens = model.encode("the cat and thé hat")
    assert result["length"].item() == len(tokens) - len(model.encode("the cat"))
    assert symbol_names(model, model.encode("é"))[0].startswith("\N{REPLACEMENT CHARACTER} (")
    with pytest.raises(ids.InputError, match="token 266 is outside the model's 266 tokens"):
        ids.estimate_nll(model, [[0, 266]], passes=4)
    with pytest.raises(ids.InputError, match="17 tokens exceeds the model's maximum of 16"):
        ids.estimate_nll(model, [[0] * 17], passes=4)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(ids.InputError, match="half of a surrogate pair"):
        PAIRS.encode("a\ud800")


def test_models_with_other_subwords_are_not_compared_on_those_of_the_first():
    """The first tokens of both are the same; control: a second model with the same tokenizer is compared."""
    torch.manual_seed(0)
    more = BytePairs.learned(["the cat and the hat and the mat"] * 3, size=268)
    small, same, large = (
        Denoiser(DenoiserConfig(tokenizer=pairs.definition, length=32, layers=1, width=16, heads=2)).eval()
        for pairs in (PAIRS, PAIRS, more)
    )
    tokens = [small.encode("the hat and the mat")]
    assert np.isfinite(ids.estimate_model_log_ratio(small, same, tokens, passes=4)["log_ratio"]).all()
    for first, second in ((small, large), (large, small)):
        with pytest.raises(ids.InputError, match="same alphabet or tokenizer"):
            ids.estimate_model_log_ratio(first, second, [first.encode("the hat and the mat")], passes=4)
    with pytest.raises(ids.InputError, match="same alphabet or tokenizer"):
        ids.estimate_model_log_ratio(small, ids.load_model("austen"), tokens, passes=4)
