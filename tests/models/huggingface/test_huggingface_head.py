import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import infodis_stats as ids
from estimators import ModelError
from infodis_stats.models import losses as losses_file
from infodis_stats.models.huggingface import MaskedLanguageModel, masked_model
from tests.support import tiny_networks
from tests.support.largest import Largest

MASK = 10


def network() -> tiny_networks.LLaDA:
    torch.manual_seed(5)
    return tiny_networks.LLaDA(SimpleNamespace(vocab_size=11))


def wrap(net: nn.Module) -> MaskedLanguageModel:
    return MaskedLanguageModel(net, "llada", mask_id=MASK, length=64)


@torch.no_grad()
def direct_nll(net: nn.Module, tokens: Tensor, masked: Tensor) -> Tensor:
    logs = net(torch.where(masked, MASK, tokens)).logits.log_softmax(-1)
    return torch.where(masked, -logs.gather(-1, tokens[..., None])[..., 0], 0.0)


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, 10, (5, 9), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def masked() -> Tensor:
    return torch.rand(5, 9, generator=torch.Generator().manual_seed(2)) < 0.4


def test_only_masked_positions_pass_through_the_head_a_few_at_a_time(
    tokens: Tensor, masked: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = network()
    made = wrap(net)
    shapes = []
    compute = net.ff_out.forward

    def recording(hidden: Tensor) -> Tensor:
        shapes.append(hidden.shape)
        return compute(hidden)

    monkeypatch.setattr(net.ff_out, "forward", recording)
    monkeypatch.setattr(losses_file, "LOGITS_PER_CHUNK", 4 * 11)
    losses = made.token_nll(tokens, masked)
    assert sum(rows for rows, _ in shapes) == masked.sum()
    assert max(rows for rows, _ in shapes) == 4
    torch.testing.assert_close(losses, direct_nll(net, tokens, masked))


def test_no_tensor_grows_with_batch_times_length_times_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary, batch, length = 3000, 16, 60
    net = tiny_networks.LLaDA(SimpleNamespace(vocab_size=vocabulary))
    made = MaskedLanguageModel(net, "llada", mask_id=MASK, length=64)
    monkeypatch.setattr(losses_file, "LOGITS_PER_CHUNK", 20 * vocabulary)
    tokens = torch.randint(11, vocabulary, (batch, length), generator=torch.Generator().manual_seed(1))
    masked = torch.ones(batch, length, dtype=torch.bool)
    with Largest() as lean:
        losses = made.token_nll(tokens, masked)
    with Largest() as full:
        expected = direct_nll(net, tokens, masked)
    torch.testing.assert_close(losses, expected)
    assert full.size == batch * length * vocabulary
    assert lean.size < full.size / 10


class Capped(tiny_networks.LLaDA):
    """A network that transforms its logits after the head."""

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=torch.tanh(super().forward(input_ids).logits))


class Tied(tiny_networks.LLaDA):
    """A network without a layer that computes the logits."""

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.body(input_ids) @ self.body.embedding.weight.T)


class Decoys(tiny_networks.LLaDA):
    """A network with two more layers of the head's size, one unused and one used for something else."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__(config)
        self.unused = nn.Linear(tiny_networks.WIDTH, config.vocab_size)
        self.other = nn.Linear(tiny_networks.WIDTH, config.vocab_size)

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=super().forward(input_ids).logits, extra=self.other(self.body(input_ids)))


@pytest.mark.parametrize(("kind", "lean"), [(Capped, False), (Tied, False), (Decoys, True)])
def test_a_head_that_cannot_be_separated_is_not_separated(
    kind: type[nn.Module], lean: bool, tokens: Tensor, masked: Tensor
) -> None:
    torch.manual_seed(3)
    net = kind(SimpleNamespace(vocab_size=11))
    made = wrap(net)
    assert made.lean is lean
    torch.testing.assert_close(made.token_nll(tokens, masked), direct_nll(net, tokens, masked))


class Counting(nn.Module):
    """A network that runs out of memory above ``most`` rows and records the size of every batch."""

    def __init__(self, inner: nn.Module, most: float) -> None:
        super().__init__()
        self.inner, self.most, self.asked = inner, most, []

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        self.asked.append(len(input_ids))
        if len(input_ids) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.inner(input_ids)


def test_full_logits_are_computed_for_a_few_rows_at_a_time(
    tokens: Tensor, masked: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Counting(Capped(SimpleNamespace(vocab_size=11)), math.inf)
    made = wrap(net)
    monkeypatch.setattr(masked_model, "FULL_LOGITS", 2 * 9 * 11)
    net.asked.clear()
    losses = made.token_nll(tokens, masked)
    assert net.asked == [2, 2, 1]
    torch.testing.assert_close(losses, direct_nll(net.inner, tokens, masked))


def test_running_out_of_memory_halves_the_batch_and_changes_no_number(tokens: Tensor) -> None:
    net = Counting(network(), math.inf)
    made = wrap(net)
    expected = ids.estimate_nll(made, tokens.numpy(), passes=4, replicates=2)["nll_replicate"]
    net.most = 2
    net.asked.clear()
    found = ids.estimate_nll(made, tokens.numpy(), passes=4, replicates=2, batch_size=8)["nll_replicate"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert net.asked[:3] == [8, 4, 2]
    assert max(net.asked[3:]) == 2


def test_an_overflow_in_half_precision_states_the_remedy(tokens: Tensor, masked: Tensor) -> None:
    net = network()
    made = wrap(net.half())
    with torch.no_grad():
        net.ff_out.weight.mul_(torch.finfo(torch.float16).max)
    row, position = masked.nonzero()[0].tolist()
    place = f"sequence {row} of the batch, position {position}"
    with pytest.raises(ModelError, match=f"{place}: the network overflowed in float16; use dtype=torch.float32"):
        made.token_nll(tokens, masked)
    assert torch.isfinite(wrap(net.float()).token_nll(tokens, masked)).all()


def test_nan_in_float32_is_attributed_to_the_network(tokens: Tensor) -> None:
    net = network()
    made = wrap(net)
    with torch.no_grad():
        net.ff_out.weight[3] = torch.nan
    with pytest.raises(ModelError, match=r"^sequence 0, position \d \(token \d\): the model returned NaN as a loss$"):
        ids.estimate_nll(made, tokens.numpy(), passes=4, replicates=2)


def test_half_precision_agrees_to_its_rounding_error(tokens: Tensor, masked: Tensor) -> None:
    exact = wrap(network()).token_nll(tokens, masked)
    half = wrap(network().bfloat16())
    assert half.lean
    losses = half.token_nll(tokens, masked)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, exact, atol=0.05, rtol=0)


def test_the_fingerprint_depends_on_weights_and_conventions() -> None:
    first = wrap(network()).fingerprint()
    assert len(first) == 64
    assert wrap(network()).fingerprint() == first
    other = MaskedLanguageModel(network(), "llada", mask_id=MASK, length=64, exclude_mask=True)
    assert other.fingerprint() != first
    changed = network()
    with torch.no_grad():
        changed.ff_out.weight[0, 0] += 1e-6
    assert wrap(changed).fingerprint() != first
    assert wrap(network().bfloat16()).fingerprint() != first


def test_weights_are_hashed_again_only_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    made = wrap(network())
    hashed = []
    compute = made._hash
    monkeypatch.setattr(made, "_hash", lambda weights: hashed.append(True) or compute(weights))
    first = made.fingerprint()
    assert made.fingerprint() == first
    assert len(hashed) == 1
    with torch.no_grad():
        made.network.ff_out.weight[0, 0] += 1
    assert made.fingerprint() != first
    made.network.load_state_dict(network().state_dict())
    assert made.fingerprint() == first
    assert len(hashed) == 3


def test_text_requires_a_tokenizer() -> None:
    with pytest.raises(ValueError, match="this model has no tokenizer: specify one with tokenizer="):
        wrap(network()).encode("text")
