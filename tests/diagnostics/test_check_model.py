"""The check of models: each fault is found, and its control is fine."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import infodis_stats as ids
from infodis_stats.diagnostics.models import check_checkpoint
from infodis_stats.models.huggingface import Family, MaskedLanguageModel
from infodis_stats.models.huggingface.loading import LoadingOptions
from infodis_stats.models.huggingface.masked_model import UncheckedModel
from infodis_stats.models.probes import attention_pattern
from tests.support import tiny_networks
from tests.support.direct import MASK, network

VOCABULARY = 11


def wrapped(net: nn.Module, family: str | Family = "llada", **options: Any) -> MaskedLanguageModel:
    return MaskedLanguageModel(net, family, mask_id=MASK, length=64, **options)


def unchecked(net: nn.Module, family: str | Family = "llada", **options: Any) -> MaskedLanguageModel:
    return UncheckedModel(net, family, mask_id=MASK, length=64, **options)


def verdict_of(check: ids.ModelCheck, name: str) -> str:
    return next(verdict.verdict for verdict in check.diagnosis.verdicts if verdict.check == name)


class Attending(nn.Module):
    """A network whose attention is limited by a mask that depends on the length."""

    def __init__(self, pattern: str, block: int = 1) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding, self.place = nn.Embedding(VOCABULARY, 16), nn.Embedding(80, 16)
        self.head = nn.Linear(16, VOCABULARY)
        self.pattern, self.block = pattern, block

    def forward(self, tokens: Tensor) -> SimpleNamespace:
        positions = torch.arange(tokens.shape[1])
        hidden = self.embedding(tokens) + self.place(positions)
        scores = hidden @ hidden.transpose(1, 2) / 4
        row, column = positions[:, None], positions
        allowed = {
            "full": torch.ones(len(positions), len(positions), dtype=torch.bool),
            "causal": column <= row,
            "block": column // self.block <= row // self.block,
            "window": (column - row).abs() <= 3,
        }[self.pattern]
        weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        return SimpleNamespace(logits=self.head(torch.tanh(hidden + weights @ hidden)))


@pytest.mark.parametrize(
    ("net", "pattern", "block", "verdict"),
    [
        (Attending("full"), "bidirectional", None, "fine"),
        (Attending("window"), "bidirectional", None, "fine"),
        (Attending("causal"), "causal", None, "do not use"),
        *((Attending("block", size), "block-causal", size, "do not use") for size in (2, 3, 4, 16, 32)),
    ],
)
def test_the_attention_pattern_is_found(net: nn.Module, pattern: str, block: int | None, verdict: str) -> None:
    model = wrapped(net)
    check = ids.check_model(model)
    assert (check.measured["attention"], check.measured["block_size"]) == (pattern, block)
    assert verdict_of(check, "attention") == verdict
    if block != 3:  # the cheap probe knows powers of 2
        assert attention_pattern(model, cheap=True).pattern == pattern


def test_block_causal_attention_after_a_token_in_front() -> None:
    check = ids.check_model(wrapped(Attending("block", 4), before=(9,)))
    assert (check.measured["attention"], check.measured["block_size"]) == ("block-causal", 4)


class Noisy(tiny_networks.LLaDA):
    """A network that adds its own noise."""

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        logits = super().forward(input_ids).logits
        return SimpleNamespace(logits=logits + torch.randn_like(logits))


class Dropping(tiny_networks.LLaDA):
    """A network whose dropout is active in evaluation mode."""

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        hidden = nn.functional.dropout(self.body(input_ids), 0.1, training=True)
        return SimpleNamespace(logits=self.ff_out(hidden))


@pytest.mark.parametrize("kind", [Noisy, Dropping])
def test_a_stochastic_network_is_refused_and_found(kind: type[nn.Module]) -> None:
    net = kind(SimpleNamespace(vocab_size=VOCABULARY))
    with pytest.raises(ids.InfodisError, match=r"two identical calls of the network differ by .* has no likelihood"):
        wrapped(net)
    check = ids.check_model(unchecked(net))
    assert check.verdict == "do not use"
    assert verdict_of(check, "deterministic") == "do not use"
    assert not check.measured["deterministic"]
    assert ids.check_model(wrapped(network("llada"))).measured["deterministic"]


class SDARForCausalLM(tiny_networks.LLaDA):
    """A network of block diffusion, by its name."""


def test_a_network_of_block_diffusion_is_refused_by_its_class_or_configuration() -> None:
    net = SDARForCausalLM(SimpleNamespace(vocab_size=VOCABULARY))
    with pytest.raises(ids.InputError, match=r"SDAR cannot be used as a masked model: .* block diffusion"):
        wrapped(net)
    assert verdict_of(ids.check_model(unchecked(net)), "family") == "do not use"
    named = network("llada")
    named.config = {"model_type": "llada2_moe"}
    with pytest.raises(ids.InputError, match=r"LLaDA2 cannot be used as a masked model"):
        wrapped(named)
    with pytest.raises(ids.InputError, match="cannot be used as a masked model"):
        wrapped(network("llada"), config={"architectures": ["BD3LM"]})
    wrapped(network("llada"), config={"architectures": ["LLaDAModelLM"]})


class Leaking:
    """A model that sees the tokens that it predicts, unless ``leak`` is 0."""

    vocabulary = 3

    def __init__(self, leak: float) -> None:
        self.leak = leak

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        losses = torch.log(torch.tensor(3.0)) + self.leak * tokens.float().mean(dim=1, keepdim=True)
        return masked * losses


def test_losses_that_depend_on_masked_tokens_are_found() -> None:
    assert verdict_of(ids.check_model(Leaking(0.1)), "masked tokens") == "do not use"
    assert verdict_of(ids.check_model(Leaking(0.0)), "masked tokens") == "fine"


class BatchNormalised(tiny_networks.LLaDA):
    """A network whose rows depend on one another."""

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        logits = super().forward(input_ids).logits
        return SimpleNamespace(logits=logits - logits.mean(dim=0) * 0.1)


def test_rows_that_depend_on_their_batch_are_found() -> None:
    check = ids.check_model(wrapped(BatchNormalised(SimpleNamespace(vocab_size=VOCABULARY))))
    assert verdict_of(check, "batch") == "do not use"
    assert verdict_of(ids.check_model(wrapped(network("llada"))), "batch") == "fine"


class Doubled:
    """Losses of half their size: probabilities that sum to more than 1."""

    vocabulary = 4

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        return masked * self.factor * torch.log(torch.tensor(4.0))


def test_probabilities_that_sum_to_more_than_1_are_found() -> None:
    check = ids.check_model(Doubled(0.5))
    assert verdict_of(check, "normalised") == "do not use"
    assert check.measured["total_probability"] == pytest.approx(2.0)
    assert verdict_of(ids.check_model(Doubled(1.0)), "normalised") == "fine"


def test_an_overflow_is_found() -> None:
    net = network("llada").half()
    with torch.no_grad():
        net.ff_out.weight.mul_(torch.finfo(torch.float16).max)
    check = ids.check_model(unchecked(net))
    assert check.verdict == "do not use"
    assert any("overflowed in float16" in verdict.reason for verdict in check.diagnosis.verdicts)


class LikelyMask(tiny_networks.LLaDA):
    """A network that gives the mask most of the probability."""

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        logits = super().forward(input_ids).logits
        logits[..., MASK] += 20.0
        return SimpleNamespace(logits=logits)


def test_a_mask_with_probability_is_found_unless_it_is_excluded() -> None:
    net = LikelyMask(SimpleNamespace(vocab_size=VOCABULARY))
    check = ids.check_model(wrapped(net))
    assert verdict_of(check, "mask") == "caution"
    assert check.measured["mask_cost"] > 5
    assert verdict_of(ids.check_model(wrapped(net, exclude_mask=True)), "mask") == "fine"


@pytest.mark.parametrize(("family", "verdict"), [("mdlm", "do not use"), ("sedd", "fine")])
def test_a_network_that_depends_on_time_is_found(family: str, verdict: str) -> None:
    check = ids.check_model(unchecked(network(family), family))
    assert check.measured["time_matters"]
    assert verdict_of(check, "time") == verdict
    still = network("mdlm")
    nn.init.zeros_(still.time.weight)
    nn.init.zeros_(still.time.bias)
    assert verdict_of(ids.check_model(wrapped(still, "mdlm")), "time") == "fine"


class Letters:
    """A tokenizer of nine letters."""

    mask_token_id, unk_token, unk_token_id, bos_token_id = MASK, None, None, 9

    def __len__(self) -> int:
        return VOCABULARY

    def encode(self, text: str, **_: Any) -> list[int]:
        return ["abcdefghi".index(letter) for letter in text]

    def decode(self, tokens: list[int], **_: Any) -> str:
        return "".join("abcdefghi"[token] for token in tokens)


TEXTS = ["abcdefghiabcdefghi", "defghiabcdefghiabc", "ghiabcdefghiabcdef"]


def trained(shift: int) -> nn.Module:
    """Train a network on a cycle of letters, to predict a masked letter at its own output or at the one before."""
    torch.manual_seed(0)
    net = Attending("full")
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(400):
        tokens = (torch.arange(19) + torch.randint(9, (32, 1))) % 9
        tokens[:, 0] = 9
        masked = torch.rand(tokens.shape) < torch.rand(32, 1)
        masked[:, 0] = False
        logits = net(torch.where(masked, MASK, tokens)).logits
        if shift:
            logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)
        loss = nn.functional.cross_entropy(logits[masked], tokens[masked])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net


@pytest.fixture(scope="module")
def unshifted_and_shifted() -> tuple[nn.Module, nn.Module]:
    return trained(0), trained(1)


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("assumed", [False, True])
def test_the_shift_is_measured_on_texts(
    shift: bool, assumed: bool, unshifted_and_shifted: tuple[nn.Module, nn.Module]
) -> None:
    model = wrapped(unshifted_and_shifted[shift], shifted=assumed, before=(9,), tokenizer=Letters())
    check = ids.check_model(model, TEXTS)
    assert check.measured["shifted"] is shift
    assert verdict_of(check, "shift") == ("fine" if shift == assumed else "do not use")


def test_the_shift_of_an_untrained_network_is_not_claimed() -> None:
    for seed in range(5):
        torch.manual_seed(seed)
        net = tiny_networks.LLaDA(SimpleNamespace(vocab_size=VOCABULARY))
        check = ids.check_model(wrapped(net, before=(9,), tokenizer=Letters()), TEXTS)
        assert check.measured["shifted"] is None
        assert verdict_of(check, "shift") == "fine"


class Lowercasing(Letters):
    """A tokenizer that merges the letters a and b, and changes capitals."""

    def encode(self, text: str, **_: Any) -> list[int]:
        return ["abcdefghi".index(letter) for letter in text.lower().replace("ab", "i").replace(" ", "")]


def test_tokenizers_that_change_texts_or_merge_over_the_boundary_are_found() -> None:
    model = wrapped(network("llada"), tokenizer=Lowercasing())
    check = ids.check_model(model, ["cde Fgh"])
    assert verdict_of(check, "tokenizer") == "caution"
    assert verdict_of(check, "boundary") == "fine"
    assert verdict_of(ids.check_model(model, ["cda b"]), "boundary") == "fine"
    plain = ids.check_model(wrapped(network("llada"), tokenizer=Letters()), ["cdefgh"])
    assert verdict_of(plain, "tokenizer") == "fine"
    with pytest.raises(ValueError, match="substring not found"):
        ids.check_model(wrapped(network("llada"), tokenizer=Letters()), ["xyz"])


def test_a_network_whose_weights_change_with_calls_is_found() -> None:
    class Drifting(tiny_networks.LLaDA):
        def forward(self, input_ids: Tensor) -> SimpleNamespace:
            with torch.no_grad():
                self.ff_out.weight[0, 0] += 1e-6
            return super().forward(input_ids)

    check = ids.check_model(wrapped(Drifting(SimpleNamespace(vocab_size=VOCABULARY))))
    assert verdict_of(check, "fingerprint") == "do not use"


def test_laws_and_networks_are_fine() -> None:
    law = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
    check = ids.check_model(law)
    assert check.verdict == "fine", str(check)
    assert check.measured["order_sd"] < 1e-6
    assert "no problems found" in check.overall
    assert ids.check_model(ids.load_model("austen")).verdict == "fine"
    with pytest.raises(ids.InputError, match=r"int cannot be checked: it has no token_nll"):
        ids.check_model(3)


def test_half_precision_is_compared_beside_the_interval() -> None:
    check = ids.check_model(wrapped(network("llada")))
    assert 0 < check.measured["half_precision_error"] < check.measured["interval_half_width"]
    half = ids.check_model(wrapped(network("llada").bfloat16()))
    assert half.options["dtype"] == "bfloat16"
    assert verdict_of(half, "precision") == "fine"


def test_validation_compares_with_the_plain_computation() -> None:
    for family in ("llada", "dream", "mdlm", "radd", "sedd"):
        before = (9,) if family == "dream" else ()
        validation = ids.validate_model(unchecked(network(family), family, before=before))
        assert validation.agrees, validation.table
        assert "agree with the published convention" in validation.answer
        assert validation.answer in str(validation)
    with pytest.raises(ids.InputError, match="has no published convention"):
        ids.validate_model(ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0))


def test_validation_fails_if_the_losses_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    model = wrapped(network("llada"))
    compute = model.token_nll
    monkeypatch.setattr(model, "token_nll", lambda tokens, masked: compute(tokens, masked) * 1.01)
    validation = ids.validate_model(model)
    assert not validation.agrees
    assert "do not agree with the published convention" in validation.answer


def test_a_checkpoint_that_cannot_be_loaded_for_another_reason_raises(tmp_path: Any) -> None:
    with pytest.raises(ids.StoreError, match="it has no config"):
        check_checkpoint(tmp_path, LoadingOptions())
    (tmp_path / "config.json").write_text('{"model_type": "bd3lm", "architectures": ["BD3LM"]}')
    check = check_checkpoint(tmp_path, LoadingOptions())
    assert check.verdict == "do not use"
    assert check.measured["refused_family"] == "bd3lm"
