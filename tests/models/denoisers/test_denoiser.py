"""The denoiser: a conditional model that does not see masked tokens, and its files."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig, load_model, losses
from tests.support.largest import Largest

CONFIG = DenoiserConfig("abcd", length=12, layers=2, width=16, heads=2)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    one = Denoiser(CONFIG)
    for parameter in one.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return one.eval()


def batch(rows=6, length=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, (rows, length), generator=generator)
    return tokens, torch.rand(rows, length, generator=generator) < 0.5


def test_losses_equal_a_slow_direct_computation(model):
    tokens, masked = batch()
    with torch.no_grad():
        found = model.token_nll(tokens, masked)
        for row, hide in zip(range(len(tokens)), masked, strict=True):
            logits = model.head(model.hidden(tokens[row : row + 1], hide[None]))[0]
            for position in range(tokens.shape[1]):
                expected = (
                    -functional.log_softmax(logits[position], dim=-1)[tokens[row, position]] if hide[position] else 0.0
                )
                assert float(found[row, position]) == pytest.approx(float(expected), abs=1e-5)


def test_only_masked_characters_pass_through_the_head_a_few_at_a_time(model, monkeypatch):
    tokens, masked = batch()
    expected, seen = model.token_nll(tokens, masked), []
    hook = model.head.register_forward_hook(lambda head, inputs, logits: seen.append(tuple(logits.shape)))
    monkeypatch.setattr(losses, "LOGITS_PER_CHUNK", 5 * 4)
    with torch.no_grad():
        found = model.token_nll(tokens, masked)
    hook.remove()
    torch.testing.assert_close(found, expected)
    assert sum(count for count, _ in seen) == masked.sum() > 20
    assert max(seen) == (5, 4)


def test_no_tensor_grows_with_batch_times_length_times_alphabet(monkeypatch):
    alphabet, rows, length = "".join(map(chr, range(500, 2500))), 16, 40
    large = Denoiser(DenoiserConfig(alphabet, length=length, layers=1, width=16, heads=2)).eval()
    monkeypatch.setattr(losses, "LOGITS_PER_CHUNK", 20 * len(alphabet))
    tokens = torch.randint(len(alphabet), (rows, length), generator=torch.Generator().manual_seed(1))
    masked = torch.ones(rows, length, dtype=torch.bool)
    with torch.no_grad(), Largest() as lean:
        found = large.token_nll(tokens, masked)
    with torch.no_grad(), Largest() as full:
        logits = large.head(large.hidden(tokens, masked))
        expected = functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
    torch.testing.assert_close(found.flatten(), expected)
    assert full.size == rows * length * len(alphabet)
    assert lean.size < full.size / 10


def test_chunked_losses_have_the_same_gradient(model, monkeypatch):
    tokens, masked = batch()

    def gradient():
        return torch.autograd.grad(model.losses(tokens, masked).sum(), model.embedding.weight)[0]

    whole = gradient()
    monkeypatch.setattr(losses, "LOGITS_PER_CHUNK", 5 * 4)
    torch.testing.assert_close(gradient(), whole)


def test_a_masked_token_is_not_seen(model):
    """Control: an unmasked token is seen."""
    tokens, masked = batch()
    other = torch.where(masked, (tokens + 1) % 4, tokens)
    with torch.no_grad():
        torch.testing.assert_close(model.hidden(tokens, masked), model.hidden(other, masked), rtol=0, atol=0)
        revealed = torch.where(masked, tokens, (tokens + 1) % 4)
        assert not torch.allclose(model.hidden(tokens, masked), model.hidden(revealed, masked), atol=1e-3)


def test_a_padded_row_is_priced_as_alone_whatever_the_padding(model):
    """Control: told that the padding belongs to the sequence, it prices it differently."""
    tokens, masked = batch()
    lengths = torch.tensor([10, 7, 9, 8, 7, 1])
    masked &= torch.arange(10) < lengths[:, None]
    fast = ids.accelerated(model)
    with torch.no_grad():
        padded = fast.token_nll(tokens, masked, lengths=lengths)
        for row, length in enumerate(lengths):
            alone = model.token_nll(tokens[row : row + 1, :length], masked[row : row + 1, :length])[0]
            torch.testing.assert_close(padded[row, :length], alone, atol=1e-5, rtol=0)
        assert not padded[torch.arange(10) >= lengths[:, None]].any()
        assert (model.token_nll(tokens, masked) - padded)[1:].abs().max() > 1e-3


def test_conditionals_sum_to_one(model):
    tokens, masked = batch(rows=1)
    position = int(masked[0].nonzero()[0])
    with torch.no_grad():
        total = 0.0
        for token in range(4):
            tokens[0, position] = token
            total += float(torch.exp(-model.token_nll(tokens, masked)[0, position]))
    assert total == pytest.approx(1.0, abs=1e-5)


def test_the_order_of_positions_matters(model):
    """Without position information, reversing a sequence would just reverse its hidden states."""
    tokens, masked = batch(rows=1, length=6)
    with torch.no_grad():
        reversed_ = model.hidden(tokens.flip(1), masked.flip(1)).flip(1)
        assert not torch.allclose(model.hidden(tokens, masked), reversed_, atol=1e-3)


def test_estimates_do_not_depend_on_the_batch_size(model):
    """Each loss differs by at most 1e-5 nats, and the weights of a uniform-count replicate sum to the length."""
    tokens = batch(rows=5)[0].numpy()
    whole = ids.estimate_nll(model, tokens, passes=8, replicates=4, seed=1)["nll_replicate"]
    for size in (1, 7, 500):
        again = ids.estimate_nll(model, tokens, passes=8, replicates=4, seed=1, batch_size=size)["nll_replicate"]
        np.testing.assert_allclose(again, whole, rtol=0, atol=1e-5 * tokens.shape[1])


def test_models_round_trip(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path, {"corpus": "none"})
    again = load_model(path)
    assert again.fingerprint() == model.fingerprint()
    tokens, masked = batch()
    with torch.no_grad():
        torch.testing.assert_close(again.token_nll(tokens, masked), model.token_nll(tokens, masked), rtol=0, atol=0)
    assert [one.name for one in tmp_path.iterdir()] == ["model.safetensors"]


def test_text_round_trips_and_unknown_characters_are_named(model):
    assert model.decode(model.encode("abca")) == "abca"
    with pytest.raises(ids.InputError, match="character 'x' at position 2"):
        model.encode("abx")
    with pytest.raises(ids.InputError, match="sequence 0, position 1: token 4 is outside the model's 4 characters"):
        ids.estimate_nll(model, [[0, 4]])
    with pytest.raises(ids.InputError, match="13 characters exceeds the model's maximum of 12"):
        ids.estimate_nll(model, [[0] * 13])


def test_files_that_are_not_models_are_refused(model, tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(ids.StoreError, match="there is no model"):
        load_model(path)
    model.save(path)
    whole = path.read_bytes()
    for size in (0, 20, len(whole) - 5):
        path.write_bytes(whole[:size])
        with pytest.raises(ids.StoreError, match="damaged"):
            load_model(path)
    torch.save(model.state_dict(), path)  # a pickle with the suffix of our files
    with pytest.raises(ids.StoreError, match="not a safetensors file"):
        load_model(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ids.StoreError, match="does not contain a denoiser written by infodis-stats train"):
        load_model(path)
    header = json.dumps({"format": "infodis-stats denoiser 1", "config": {"alphabet": "ab"}})
    save_file({"x": torch.zeros(1)}, path, metadata={"denoiser": header})
    with pytest.raises(ids.StoreError, match="do not match its configuration"):
        load_model(path)
    with pytest.raises(ids.InputError, match="there is no model 'austin'"):
        load_model("austin")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"alphabet": "aa"}, "must be non-empty and have distinct characters"),
        ({"alphabet": ""}, "must be non-empty and have distinct characters"),
        ({"alphabet": "ab", "width": 10}, "a denoiser needs positive sizes .* width 10"),
        ({"alphabet": "ab", "layers": 0}, "a denoiser needs positive sizes .* layers 0"),
    ],
)
def test_impossible_shapes_are_refused(wrong, message):
    with pytest.raises(ids.InputError, match=message):
        DenoiserConfig(**wrong)


def of_blocks(size, length=12):
    torch.manual_seed(1)
    one = Denoiser(DenoiserConfig("abcd", length=length, layers=2, width=16, heads=2, block_size=size))
    for parameter in one.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return one.eval()


def uncached(model, tokens, masked, size):
    """The losses from masked and clean tokens side by side, 2L positions, under one block-causal mask."""
    length = tokens.shape[1]
    both = torch.cat([torch.where(masked, 4, tokens), tokens], dim=1)
    block = torch.arange(length) // size
    earlier, own, nothing = block < block[:, None], block == block[:, None], torch.zeros(length, length).bool()
    attended = torch.cat([torch.cat([own, earlier], dim=1), torch.cat([nothing, own | earlier], dim=1)])
    hidden = model.embedding(both)
    rotation = tuple(part.repeat(2, 1) for part in model._rotation(length, hidden))
    for layer in model.blocks:
        hidden = layer(hidden, rotation, attended)
    logits = model.head(model.norm(hidden))[:, :length]
    losses = functional.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
    return torch.where(masked, losses, 0.0)


@pytest.mark.parametrize("size", [1, 3, 4, 12])
def test_blocks_with_keys_of_the_clean_pass_equal_the_uncached_computation(size):
    """Rows of three sequences, two of them repeated; the last block is partial. Control: blocks of another size."""
    model = of_blocks(size)
    tokens, masked = batch()
    tokens[1] = tokens[3] = tokens[0]
    with torch.no_grad():
        found = model.token_nll(tokens, masked)
        torch.testing.assert_close(found, uncached(model, tokens, masked, size), rtol=0, atol=1e-5)
        assert (found - uncached(model, tokens, masked, size + 1)).abs().max() > 1e-2 or size == 12


def test_a_block_sees_its_own_masks_and_the_clean_tokens_before_it():
    model = of_blocks(4)
    tokens, masked = batch(rows=1)
    masked[0, 4:8] = torch.tensor([True, False, True, False])
    with torch.no_grad():
        losses = model.token_nll(tokens, masked)[0]
        other = masked.clone()
        other[0, :4], other[0, 8:] = True, ~masked[0, 8:]
        assert (model.token_nll(tokens, other)[0, 4:8] == losses[4:8]).all(), "masks of other blocks"
        for position, matters in ((1, True), (5, True), (9, False)):
            changed = tokens.clone()
            changed[0, position] = (changed[0, position] + 1) % 4
            moved = model.token_nll(changed, masked)[0, 4:8] != losses[4:8]
            assert bool(moved[masked[0, 4:8]].any()) == matters, position


def test_padded_rows_of_a_block_model_lose_what_they_lose_alone():
    model = of_blocks(4)
    tokens, masked = batch()
    lengths = torch.tensor([10, 5, 6, 7, 8, 9])
    present = torch.arange(10) < lengths[:, None]
    tokens, masked = torch.where(present, tokens, 0), masked & present
    with torch.no_grad():
        padded = model.token_nll(tokens, masked, lengths=lengths)
        for row, length in enumerate(lengths.tolist()):
            alone = model.token_nll(tokens[[row], :length], masked[[row], :length])[0]
            torch.testing.assert_close(padded[row, :length], alone, rtol=0, atol=1e-5)
        assert (padded - model.token_nll(tokens, masked)).abs().max() > 1e-2, "control: padding that is seen"


def test_block_sizes_are_positive_and_stored(tmp_path):
    with pytest.raises(ids.InputError, match="block_size must be a positive integer, got 0"):
        DenoiserConfig("abcd", block_size=0)
    with pytest.raises(ids.InputError, match="block_size must be at most the length, 8, got 9"):
        DenoiserConfig("abcd", length=8, block_size=9)
    of_blocks(3).save(tmp_path / "blocks.safetensors")
    model = Denoiser.load(tmp_path / "blocks.safetensors")
    assert model.block_size == 3
    assert model.fingerprint() == of_blocks(3).fingerprint() != of_blocks(4).fingerprint()
