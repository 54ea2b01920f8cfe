"""Texts in their context: the tokens decode to the whole text, and the context is that of evaluation harnesses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import infodis_stats as ids
from infodis_stats.models.encoding import conditioned, encoded_alternatives
from infodis_stats.models.text_model import TextModel

tokenizers = pytest.importorskip("tokenizers")

CORPUS = ["the lady walks and she was walking to the lady", "She walked, talking; he talks to the walking lady."] * 20


def trained(kind: str) -> "tokenizers.Tokenizer":
    """A tokenizer of the kind, trained on a few sentences."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415  optional

    if kind == "byte-level":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
    elif kind == "metaspace":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>"], show_progress=False)
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=100, special_tokens=["[UNK]"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


class Tokenized:
    """A text model of a tokenizer; every token costs one nat."""

    longest = 64

    def __init__(self, tokenizer: "tokenizers.Tokenizer") -> None:
        self.tokenizer = tokenizer

    def token_nll(self, tokens, masked):
        return masked.double()

    def encode(self, text):
        return np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)

    def decode(self, tokens):
        return self.tokenizer.decode(tokens.tolist())

    def describe(self):
        return "tokenized"

    def fingerprint(self):
        return "0" * 64


KINDS = ("byte-level", "metaspace", "wordpiece")
MODELS = {kind: Tokenized(trained(kind)) for kind in KINDS}


def as_harness(model, prompt, text):
    """The convention of evaluation harnesses, cut at the longest common prefix: the number of given tokens."""
    spaces = len(prompt) - len(prompt.rstrip())
    if spaces:
        prompt, text = prompt[:-spaces], prompt[-spaces:] + text
    whole, context = model.encode(prompt + text).tolist(), model.encode(prompt).tolist() if prompt else []
    shared = 0
    while shared < min(len(whole), len(context)) and whole[shared] == context[shared]:
        shared += 1
    return shared


def given_tokens(model, prompt, text):
    """The boundary as given where the parts have the same tokens separately as together."""
    before = model.encode(prompt).tolist() if prompt else []
    if [*before, *model.encode(text)] == model.encode(prompt + text).tolist():
        return len(before)
    return as_harness(model, prompt, text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("prompt", "text"),
    [("the lady walk", "ing"), ("she was ", "walking"), ("the lady", " walks"), ("", "the lady"), ("the  ", " lady")],
)
def test_the_tokens_are_those_of_the_whole_text(kind, prompt, text):
    model = MODELS[kind]
    assert isinstance(model, TextModel)
    tokens, given_ = conditioned(model, "r", prompt, text)
    assert tokens.tolist() == model.encode(prompt + text).tolist()
    assert model.decode(tokens) == model.decode(model.encode(prompt + text))
    assert given_.sum() == given_tokens(model, prompt, text)
    assert given_[: given_.sum()].all()


def test_control_separate_encoding_scores_other_texts():
    for kind, (prompt, text) in (
        ("metaspace", ("the lady walk", "ing")),
        ("wordpiece", ("the lady walk", "ing")),
        ("byte-level", ("she was ", "walking")),
    ):
        model = MODELS[kind]
        apart = np.concatenate([model.encode(prompt), model.encode(text)])
        assert apart.tolist() != model.encode(prompt + text).tolist()
    apart = np.concatenate([MODELS["metaspace"].encode("the lady walk"), MODELS["metaspace"].encode("ing")])
    assert MODELS["metaspace"].decode(apart) == "the lady walk ing"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(st.text("the lady walking.,", max_size=12), st.text("the lady walking.,", min_size=1, max_size=12))
def test_any_boundary(kind, prompt, text):
    model = MODELS[kind]
    whole, expected = model.encode(prompt + text).tolist(), given_tokens(model, prompt, text)
    if expected == len(whole):
        with pytest.raises(ids.InputError, match="nothing to score"):
            conditioned(model, "r", prompt, text)
        return
    tokens, known = conditioned(model, "r", prompt, text)
    assert (tokens.tolist(), known.sum()) == (whole, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_alternatives_are_given_the_same_tokens(kind):
    model = MODELS[kind]
    rows = encoded_alternatives(model, "q", "she was walk", ["ing", "ed", " to the lady"])
    contexts = {tuple(row.tokens[row.given].tolist()) for row in rows}
    assert len(contexts) == 1
    result = ids.rank_texts(model, "she was walk", ["ing", "ed"], passes=8)
    assert result.sizes["candidate"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_suffix_is_given(kind):
    model = MODELS[kind]
    tokens, known = conditioned(model, "r", "the lady", " walks", " to the lady")
    assert tokens.tolist() == model.encode("the lady walks to the lady").tolist()
    scored = np.flatnonzero(~known)
    assert scored.tolist() == list(range(scored[0], scored[-1] + 1))
    assert model.decode(tokens[scored]).strip() == "walks"
    records = [ids.Record("blank", "the lady", " walks", " to the lady")]
    assert ids.estimate_texts(model, records, passes=4)["nll"].item() == pytest.approx(len(scored))


def test_characters_keep_their_boundaries():
    austen = ids.load_model("austen")
    for prompt, text, suffix in (("It is a ", "truth", " universally"), ("It is a", " truth", ""), (" ", "a", " ")):
        tokens, known = conditioned(austen, "r", prompt, text, suffix)
        assert austen.decode(tokens[~known]) == text
        assert austen.decode(tokens) == prompt + text + suffix


def test_long_records_are_scored_once_whatever_their_boundary():
    model = MODELS["byte-level"]
    record = ids.Record("long", "she was ", "walking to the lady " * 20)
    result = ids.estimate_texts(model, [record], overlap=8, passes=4)
    expected = len(model.encode(record.prompt + record.response)) - as_harness(model, record.prompt, record.response)
    assert (result["length"].item(), result["nll"].item()) == (expected, pytest.approx(expected))
    assert result["windows"].item() > 1
    with pytest.raises(ids.InputError, match="'long': prompt, response and suffix have"):
        ids.estimate_texts(model, [ids.Record("long", "", record.response, " end")], overlap=8)


@pytest.mark.parametrize(
    ("prompt", "text", "sentence"),
    [("a", "", "'r': the text to score is empty"), ("walk ", " ", "'r': no token of the text can be told")],
)
def test_nothing_to_score_is_refused(prompt, text, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        conditioned(MODELS["wordpiece"], "r", prompt, text)


@pytest.mark.parametrize("function", [ids.estimate_texts, ids.estimate_positions, ids.estimate_text_ratios])
def test_laws_are_refused_in_one_sentence(function):
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    given_ = {
        ids.estimate_texts: [ids.Record("a", "", "ACGT")],
        ids.estimate_positions: ids.Record("a", "", "ACGT"),
        ids.estimate_text_ratios: [ids.TextPair("a", "", "AC", "GT")],
    }[function]
    with pytest.raises(ids.InputError, match="is a law, which scores sequences of its alphabet"):
        function(law, given_)
