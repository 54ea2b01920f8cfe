"""Operations after the output head, and noise, that large logits or short inputs could hide."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import infodis_stats as ids
from estimators import InputError, ModelError
from infodis_stats.models.huggingface import MaskedLanguageModel
from infodis_stats.models.huggingface.plain import plain_nll
from infodis_stats.models.probes import attention_pattern
from tests.support import tiny_networks
from tests.support.direct import MASK, VOCABULARY

Operation = Callable[[Tensor, Tensor], Tensor]


class Changed(tiny_networks.LLaDA):
    """A network that changes its logits after the head."""

    def __init__(self, operation: Operation) -> None:
        torch.manual_seed(5)
        super().__init__(SimpleNamespace(vocab_size=VOCABULARY))
        for weights in self.parameters():
            nn.init.normal_(weights, std=0.7)
        self.operation = operation

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        logits = super().forward(input_ids).logits.clone()
        return SimpleNamespace(logits=self.operation(logits, input_ids))


def mask_at(value: float, scale: float = 1.0) -> Operation:
    def operation(logits: Tensor, _: Tensor) -> Tensor:
        logits = logits * scale
        logits[..., MASK] = value
        return logits

    return operation


def masked_share(tokens: Tensor) -> Tensor:
    return (tokens == MASK).float().mean(dim=1)[:, None, None]


OPERATIONS: dict[str, Operation] = {
    "mask at -inf": mask_at(-torch.inf),
    "mask at -inf and a temperature": mask_at(-torch.inf, 0.1),
    "mask at -1e9 and a temperature": mask_at(-1e9, 0.5),
    "mask at the smallest number": mask_at(torch.finfo(torch.float32).min, 0.1),
    "cap": lambda logits, _: 5.0 * torch.tanh(logits / 5.0),
    "from the third position": lambda logits, _: torch.cat([logits[:, :2], logits[:, 2:] * 0.5], dim=1),
    "from a length of 8": lambda logits, _: logits * (1.0 if logits.shape[1] < 8 else 0.5),
    "by the share of masks": lambda logits, tokens: logits * (1.0 + masked_share(tokens)),
}


def wrap(net: nn.Module, **options: object) -> MaskedLanguageModel:
    return MaskedLanguageModel(net, "llada", mask_id=MASK, length=64, **options)


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, MASK, (4, 20), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("exclude_mask", [False, True])
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_operation_after_the_head_is_lost(name: str, exclude_mask: bool, tokens: Tensor) -> None:
    model = wrap(Changed(OPERATIONS[name]), exclude_mask=exclude_mask)
    masked = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(2)) < 0.5
    expected = plain_nll(model, tokens, masked).float()
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_control_the_head_is_separated_if_nothing_follows(dtype: torch.dtype, tokens: Tensor) -> None:
    assert wrap(Changed(lambda logits, _: logits).to(dtype)).lean
    assert wrap(Changed(lambda logits, _: logits - 3.0)).lean
    assert not wrap(Changed(lambda logits, _: logits * 0.7).to(dtype)).lean


@pytest.mark.parametrize("value", [-torch.inf, -1e9, -1e6, torch.finfo(torch.float32).min])
def test_noise_beside_a_large_logit_is_found(value: float) -> None:
    def noisy(logits: Tensor, _: Tensor) -> Tensor:
        logits = logits + 0.3 * torch.randn_like(logits)
        logits[..., MASK] = value
        return logits

    with pytest.raises(ModelError, match="it adds its own noise"):
        wrap(Changed(noisy))
    wrap(Changed(mask_at(value)))


class SDARForCausalLM(tiny_networks.LLaDA):
    """A network of block diffusion, by its name."""


class Around(nn.Module):
    """A wrapper that hides the class of a network."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.base_model = inner

    def forward(self, tokens: Tensor) -> object:
        return self.base_model(tokens)


@pytest.mark.parametrize("around", [Around, lambda net: Around(Around(net)), nn.Sequential, nn.DataParallel])
def test_a_refused_network_is_recognised_inside_a_wrapper(around: Callable[[nn.Module], nn.Module]) -> None:
    settings = SimpleNamespace(vocab_size=VOCABULARY)
    with pytest.raises(InputError, match=r"SDAR.* cannot be used as a masked model"):
        wrap(around(SDARForCausalLM(settings)))
    wrap(around(tiny_networks.LLaDA(settings)))


@pytest.mark.parametrize(
    "config",
    [
        {"architectures": "SDARForCausalLM"},
        {"architectures": ["LLaDAModelLM"], "model_type": "sdar"},
        {"architectures": ["LLaDAModelLM", "SDARForCausalLM"]},
        {"model": {"model_type": "sdar"}},
        {"text_config": {"architectures": ["SDARForCausalLM"]}},
        {"algo": {"name": "bd3lm"}},
        {"block_size": 4, "max_position_embeddings": 64},
        {"diffusion_block_size": 32},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [dict, SimpleNamespace])
def test_a_refused_network_is_recognised_by_any_part_of_its_configuration(
    config: dict[str, object], kind: Callable[..., object]
) -> None:
    net = tiny_networks.LLaDA(SimpleNamespace(vocab_size=VOCABULARY))
    net.config = kind(**config)
    with pytest.raises(InputError, match="cannot be used as a masked model"):
        wrap(net)
    net.config = kind(architectures=["LLaDAModelLM"], block_group_size=1, block_size=64, max_position_embeddings=64)
    wrap(net)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"before": "12"}, r"before must be a sequence of token ids, such as \(1, 2\), got '12'"),
        ({"after": 5}, "after must be a sequence of token ids"),
        ({"before": (1.5,)}, "each token of before must be an integer, got 1.5"),
        ({"before": (MASK,)}, f"before contains the mask, token {MASK}"),
        ({"guidance": "1"}, "guidance must be a finite number of at least 0, got '1'"),
        ({"shifted": "false"}, "shifted must be True or False, got 'false'"),
        ({"exclude_mask": 1}, "exclude_mask must be True or False, got 1"),
    ],
)
def test_conventions_of_a_wrong_type_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        wrap(Changed(lambda logits, _: logits), **options)


class Attending(nn.Module):
    """A network whose attention is limited, and whose first tokens have equal embeddings."""

    def __init__(self, allowed: Callable[[Tensor, Tensor], Tensor], equal: int = 0) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding, self.place = nn.Embedding(64, 16), nn.Embedding(64, 16)
        self.head, self.allowed = nn.Linear(16, 64), allowed
        with torch.no_grad():
            self.embedding.weight[:equal] = self.embedding.weight[0]

    def forward(self, tokens: Tensor) -> SimpleNamespace:
        positions = torch.arange(tokens.shape[1])
        hidden = self.embedding(tokens) + self.place(positions)
        scores = hidden @ hidden.transpose(1, 2) / 16
        allowed = self.allowed(positions[:, None], positions)
        weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        return SimpleNamespace(logits=self.head(torch.tanh(hidden + weights @ hidden)))


@pytest.mark.parametrize("cheap", [False, True])
@pytest.mark.parametrize(
    ("net", "pattern"),
    [
        (Attending(lambda row, column: column <= row, equal=8), "causal"),
        (Attending(lambda row, column: column // 16 <= row // 16), "block-causal"),
        (Attending(lambda row, column: column // 32 <= row // 32), "block-causal"),
        (Attending(lambda row, column: (column - row).abs() <= 1), "bidirectional"),
        (Attending(lambda row, column: (column - row).abs() <= 9), "bidirectional"),
        (Attending(lambda row, column: column > -1), "bidirectional"),
    ],
)
def test_the_probe_names_the_pattern(net: nn.Module, pattern: str, cheap: bool) -> None:
    model = MaskedLanguageModel(net, "llada", mask_id=63, length=64)
    assert attention_pattern(model, cheap=cheap).pattern == pattern


def test_a_prefix_that_all_see_is_no_block() -> None:
    net = Attending(lambda row, column: (column <= row) | (column < 4))
    check = ids.check_model(MaskedLanguageModel(net, "llada", mask_id=63, length=64))
    assert check.measured["attention"] == "irregular"
    assert check.verdict == "caution"
