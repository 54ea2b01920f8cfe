"""Symbols: how a sequence is encoded, and which substitutions are considered by default."""

import re

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import MaskedLanguageModel
from infodis_stats.models.vocabulary import RESIDUES, alternatives, encode_sequence, symbol_names, symbol_tokens

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
DENOISER = ids.Denoiser(ids.DenoiserConfig("abc ", length=8, layers=1, width=8, heads=2))


class Words:
    """A tokenizer of space-separated words, like those of protein models that expect spaces between residues."""

    unk_token, unk_token_id = "<?>", 0

    def __init__(self, words: list[str]) -> None:
        self.words = ["<?>", *words, "<mask>"]

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text, **_):
        return [self.words.index(word) if word in self.words else 0 for word in text.split()]

    def decode(self, tokens, **_):
        return " ".join(self.words[token] for token in tokens)


def text_model(words: list[str]) -> MaskedLanguageModel:
    tokenizer = Words(words)
    network = torch.nn.Sequential(torch.nn.Embedding(len(tokenizer), 4), torch.nn.Linear(4, len(tokenizer)))
    return MaskedLanguageModel(network, "llada", mask_id=len(tokenizer) - 1, length=16, tokenizer=tokenizer)


PROTEIN = text_model([*RESIDUES, "X"])
MOLECULE = text_model(["C", "O", "Cl", "(", ")", "="])


def test_sequences_are_encoded_in_the_format_of_the_model():
    assert encode_sequence(LAW, "GAT").tolist() == [2, 0, 3]
    assert encode_sequence(DENOISER, "a b").tolist() == [0, 3, 1]
    assert encode_sequence(MOLECULE, "Cl C ( = O )").tolist() == [3, 1, 4, 6, 2, 5]
    assert symbol_names(PROTEIN, encode_sequence(PROTEIN, "EVX")) == ["E", "V", "X"]
    assert symbol_names(PROTEIN, encode_sequence(PROTEIN, "E V X")) == ["E", "V", "X"]
    with pytest.raises(ids.InputError, match="token 2 would be"):
        encode_sequence(PROTEIN, "EVB")
    with pytest.raises(ids.InputError, match="character 'd' at position 1"):
        encode_sequence(DENOISER, "ad")


def test_alternatives_are_the_alphabet_the_residues_or_the_symbols_that_occur():
    assert alternatives(LAW, np.array([0])).tolist() == [0, 1, 2, 3]
    assert alternatives(DENOISER, np.array([0])).tolist() == [0, 1, 2, 3]
    assert symbol_names(PROTEIN, alternatives(PROTEIN, encode_sequence(PROTEIN, "EVE"))) == list(RESIDUES)
    assert symbol_names(PROTEIN, alternatives(PROTEIN, encode_sequence(PROTEIN, "VEX"))) == list(RESIDUES)
    assert symbol_names(PROTEIN, alternatives(PROTEIN, encode_sequence(PROTEIN, "XEX"))) == ["E", "X"]
    assert symbol_names(MOLECULE, alternatives(MOLECULE, encode_sequence(MOLECULE, "O Cl O"))) == ["O", "Cl"]
    assert alternatives(object(), np.array([7, 3, 7])).tolist() == [3, 7]


def test_symbols_are_single_tokens():
    assert symbol_tokens(LAW, "TA").tolist() == [3, 0]
    assert symbol_tokens(LAW, [1, 2]).tolist() == [1, 2]
    assert symbol_tokens(MOLECULE, ["Cl", "="]).tolist() == [3, 6]
    assert symbol_tokens(object(), np.array([4])).tolist() == [4]
    assert symbol_names(LAW, np.array([3, 0])) == ["T", "A"]
    assert symbol_names(object(), np.array([3, 0])) == ["3", "0"]


@pytest.mark.parametrize(
    ("model", "symbols", "sentence"),
    [
        (LAW, "AX", "symbol 'X' is not a token of the model; its alphabet is ACGT"),
        (LAW, "ACA", "symbols must be distinct, but 'A' appears more than once"),
        (LAW, "", "symbols must contain at least one symbol"),
        (LAW, [-1], "a symbol must be a string or a token (an integer of at least 0), got -1"),
        (LAW, [0.5], "a symbol must be a string or a token (an integer of at least 0), got 0.5"),
        (MOLECULE, ["Br"], "symbol 'Br' is not a token of the model"),
        (MOLECULE, ["C O"], "symbol 'C O' is 2 tokens of the model; it must be a single token"),
        (object(), "A", "symbol 'A': the model has no alphabet; use tokens (integers)"),
    ],
)
def test_invalid_symbols_are_refused_in_one_sentence(model, symbols, sentence):
    with pytest.raises(ids.InputError, match=re.escape(sentence)):
        symbol_tokens(model, symbols)


def test_a_named_unknown_token_does_not_hide_other_unknown_parts():
    assert PROTEIN.encode("E <?> V").tolist()[1] == 0
    for text in ("E <?> B", "B <?>", "<?> <?> B"):
        with pytest.raises(ids.InputError, match=r"does not know a part of the text: more tokens than the \d named"):
            PROTEIN.encode(text)
    with pytest.raises(ids.InputError, match="token 1 of the text is the mask, which cannot be scored or given"):
        PROTEIN.encode("E <mask> V")


class AlikeBytes:
    """A model whose tokens 1 and 2 are parts of one character, and print alike."""

    longest = 8
    consistent = True

    def token_nll(self, tokens, masked):
        return masked * (1.0 + tokens.double())

    def encode(self, text):
        return np.array([ord(symbol) - ord("a") for symbol in text])

    def decode(self, tokens):
        return "".join("a\ufffd\ufffdd"[token] for token in tokens)

    def describe(self):
        return "bytes"

    def fingerprint(self):
        return "0" * 64


def test_tokens_that_print_alike_have_names_of_their_own_and_are_substituted():
    model, tokens = AlikeBytes(), np.array([1, 0, 3])
    assert symbol_names(model, np.array([1, 0, 2, 1])) == ["\ufffd (1)", "a", "\ufffd (2)", "\ufffd (1)"]
    assert symbol_names(model, np.array([1, 0, 1])) == ["\ufffd", "a", "\ufffd"]
    scan = ids.scan_substitutions(model, tokens, symbols=np.arange(4), passes=8, replicates=2)
    frame = ids.rank_substitutions(scan)
    assert len(frame) == 9, "three others at each position"
    assert frame["log_ratio"].values == pytest.approx(sorted([-1, 1, -2, -1, -2, -3, 3, 2, 1], reverse=True), abs=1e-9)
