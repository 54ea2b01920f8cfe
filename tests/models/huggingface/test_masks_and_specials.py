"""The mask and the special tokens of a checkpoint: named, known for the architecture, or specified; never guessed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from estimators import InputError, TokenError
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface
from tests.support import tiny_networks
from tests.support.checkpoints import rewrite, stored, word_tokenizer, write_checkpoint
from tests.support.direct import BOS, MASK, randomised

UNKNOWN = (
    r"the mask token is unknown: neither config.json \(mask_token_id\) nor a tokenizer names it, and it is not guessed"
)
EVERYTHING = r"; specify it with mask_id="


def load(folder: Path, **options: Any) -> MaskedLanguageModel:
    return load_huggingface(folder, trust_remote_code=True, **options)


def write(folder: Path, name: str, vocabulary: int, **settings: Any) -> None:
    """Write a checkpoint with another vocabulary."""
    write_checkpoint(folder, name, vocab_size=vocabulary, **settings)
    turns = {"llada-moe": 6, "dream": 12}.get(name)
    frequencies = None if turns is None else tiny_networks.frequencies(turns)
    net = randomised(tiny_networks.LLaDA(SimpleNamespace(vocab_size=vocabulary), frequencies))
    save_file(stored(net, "model.{}".format), folder / "model.safetensors")


def test_the_mask_of_llada_is_known_by_its_architecture(tmp_path: Path) -> None:
    write(tmp_path, "llada", 126464, mask_token_id=None)
    model = load(tmp_path)
    assert (model.mask_id, model.vocabulary) == (126336, 126464)


def test_the_mask_of_llada_moe_is_known_by_its_architecture(tmp_path: Path) -> None:
    """Its model type is that of LLaDA, which has a different mask."""
    write(tmp_path, "llada-moe", 157184)
    model = load(tmp_path)
    assert (model.family.name, model.mask_id, model.vocabulary) == ("llada-moe", 156895, 157184)


@pytest.mark.parametrize("architectures", [None, [], ["LLaDAModelLM"], ["OwnModel"]])
def test_a_mask_is_not_guessed_from_a_vocabulary(architectures: list[str] | None, tmp_path: Path) -> None:
    write(tmp_path, "llada", 157184, mask_token_id=None, architectures=architectures)
    with pytest.raises(InputError, match=UNKNOWN + EVERYTHING):
        load(tmp_path)
    assert load(tmp_path, mask_id=156895).mask_id == 156895


@pytest.mark.parametrize(
    ("name", "vocabulary"),
    [("llada", 126465), ("llada-moe", 157185), ("dream", 152064), ("llada", 11), ("llada-moe", 11)],
)
def test_an_architecture_with_another_vocabulary_has_no_known_mask(name: str, vocabulary: int, tmp_path: Path) -> None:
    write(tmp_path, name, vocabulary, mask_token_id=None)
    with pytest.raises(InputError, match=UNKNOWN + EVERYTHING):
        load(tmp_path, before=())


@pytest.mark.parametrize(
    ("name", "word"), [("llada", "<|mdm_mask|>"), ("llada-moe", "<|mask|>"), ("dream", "<|mask|>")]
)
def test_a_tokenizer_may_have_the_mask_as_an_ordinary_word(name: str, word: str, tmp_path: Path) -> None:
    write(tmp_path, name, 13, mask_token_id=None)
    word_tokenizer(tmp_path, bos="<s>", eos=None, mask=None, hidden_mask=word)
    assert load(tmp_path).mask_id == 12
    # Control: the mask of another family is an ordinary word.
    word_tokenizer(tmp_path, bos="<s>", eos=None, mask=None, hidden_mask="<|other_mask|>")
    with pytest.raises(InputError, match=UNKNOWN):
        load(tmp_path)


def test_configuration_and_tokenizer_must_agree(tmp_path: Path) -> None:
    write(tmp_path, "llada", 13, mask_token_id=5)
    word_tokenizer(tmp_path, bos=None, eos=None, mask="<|mdm_mask|>")
    with pytest.raises(
        InputError,
        match=r"the tokenizer specify different mask ids, 5 and 12: specify the right one with mask_id=",
    ):
        load(tmp_path)
    assert load(tmp_path, mask_id=12).mask_id == 12
    assert load(tmp_path, mask_id=7).mask_id == 7
    rewrite(tmp_path, mask_token_id=12)
    assert load(tmp_path).mask_id == 12


@pytest.mark.parametrize("mask", [-1, 11, 10**6])
def test_a_mask_must_be_a_token_of_the_network(mask: int, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "llada")
    with pytest.raises(InputError, match=f"mask_id must be .*, got {mask}$"):
        load(tmp_path, mask_id=mask)


def test_another_mask_changes_every_number(tmp_path: Path) -> None:
    """The control of this file: a wrong mask is not a small error."""
    write_checkpoint(tmp_path, "llada")
    tokens = torch.arange(7)[None]
    masked = tokens % 2 == 1
    right, wrong = load(tmp_path), load(tmp_path, mask_id=8)
    assert (right.token_nll(tokens, masked) - wrong.token_nll(tokens, masked)).abs().max() > 0.1


@pytest.fixture
def dream(tmp_path: Path) -> Path:
    """A Dream whose tokenizer has no BOS, although its configuration names that of another model."""
    write(tmp_path, "dream", 13, mask_token_id=12, bos_token_id=0)
    word_tokenizer(tmp_path, bos=None, eos=None, mask="<|mask|>")
    return tmp_path


def test_no_bos_is_added_that_the_tokenizer_lacks(dream: Path) -> None:
    model = load(dream)
    assert (model.before, model.after, model.longest) == ((), (), 16)
    tokens, masked = torch.tensor([[4, 5, 6]]), torch.tensor([[True, False, True]])
    with pytest.raises(
        TokenError, match=r"is at the first position and cannot be scored without a BOS token before it \(before=\)"
    ) as caught:
        model.token_nll(tokens, masked)
    assert (caught.value.row, caught.value.position) == (0, 0)
    assert model.token_nll(tokens, torch.tensor([[False, False, True]]))[0, 2] > 0
    given = load(dream, before=(0,))
    assert (given.before, given.longest) == ((0,), 15)
    assert given.token_nll(tokens, masked)[0, 0] > 0


def test_the_bos_of_the_tokenizer_is_added(dream: Path) -> None:
    word_tokenizer(dream, bos="<|beginoftext|>", eos="<|endoftext|>", mask="<|mask|>")
    rewrite(dream, bos_token_id=5)
    assert (load(dream).before, load(dream).after) == ((0,), ())
    # As in the authors' evaluation: a visible EOS.
    with_end = load(dream, after=(2,))
    assert (with_end.before, with_end.after, with_end.longest) == ((0,), (2,), 14)
    tokens = torch.tensor([[4, 5, 6]])
    masked = torch.ones(1, 3, dtype=torch.bool)
    assert (with_end.token_nll(tokens, masked) - load(dream).token_nll(tokens, masked)).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["coda", "rnd1"])
def test_families_without_a_bos_score_all_but_the_first_token(name: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, name)
    model = load(tmp_path)
    assert (model.before, model.after) == ((), ())
    tokens, masked = torch.arange(6)[None], torch.ones(1, 6, dtype=torch.bool)
    with pytest.raises(TokenError, match=r"cannot be scored without a BOS token before it \(before=\)"):
        model.token_nll(tokens, masked)
    masked[0, 0] = False
    assert (model.token_nll(tokens, masked)[0, 1:] > 0).all()


@pytest.mark.parametrize(
    ("change", "recorded"),
    [({}, {}), ({"shifted": False, "before": ()}, {"shifted": False, "before": []}), ({"exclude_mask": True},) * 2],
)
def test_every_convention_is_recorded(change: dict[str, Any], recorded: dict[str, Any], tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "dream")
    usual = {
        "family": "dream",
        "mask_id": MASK,
        "before": [BOS],
        "after": [],
        "shifted": True,
        "exclude_mask": False,
        "guidance": 0.0,
    }
    found = load(tmp_path, **{"before": (BOS,), **change}).conventions()
    assert {name: found[name] for name in usual} == usual | recorded


def test_conventions_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "dream")
    options: list[dict[str, Any]] = [
        {},
        {"mask_id": 3},
        {"before": (1,)},
        {"after": (1,)},
        {"shifted": False},
        {"exclude_mask": True},
        {"guidance": 0.5},
    ]
    found = [load(tmp_path, **{"before": (BOS,), **change}).fingerprint() for change in options]
    assert len(set(found)) == len(options)


def loss(model: MaskedLanguageModel) -> Tensor:
    return model.token_nll(torch.tensor([[4, 5, 6]]), torch.tensor([[False, True, False]]))


def test_options_change_the_numbers_as_documented(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "dream")
    usual = loss(load(tmp_path, before=(BOS,)))
    for change in ({"shifted": False}, {"exclude_mask": True}, {"before": ()}):
        assert (loss(load(tmp_path, **{"before": (BOS,), **change})) - usual).abs().max() > 1e-3, change
