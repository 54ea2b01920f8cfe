"""The check of models: each fault is found, and its control is fine."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import infodis_stats as ids
from infodis_stats.diagnostics.models import check_checkpoint
from infodis_stats.diagnostics.models.trial import make_trial
from infodis_stats.models.huggingface import MaskedLanguageModel
from infodis_stats.models.huggingface.loading import LoadingOptions
from infodis_stats.models.huggingface.masked_model import UncheckedModel
from infodis_stats.models.probes import attention_pattern
from tests.support import tiny_networks
from tests.support.checked_models import VOCABULARY, Attending, Letters, names, unchecked, verdict_of, wrapped
from tests.support.direct import MASK, network


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
    with pytest.raises(ids.InputError, match=r"SDAR.* cannot be used as a masked model: .* block diffusion"):
        wrapped(net)
    assert verdict_of(ids.check_model(unchecked(net)), "family") == "do not use"
    named = network("llada")
    named.config = {"model_type": "llada2_moe"}
    with pytest.raises(ids.InputError, match=r"LLaDA2.* cannot be used as a masked model"):
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


class Averages:
    """Losses that depend on the mean of the visible tokens: of all positions, padding included, or of the sequence."""

    takes_padding = True

    def __init__(self, *, told: bool) -> None:
        self.told = told

    def token_nll(self, tokens: Tensor, masked: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        count = lengths if self.told and lengths is not None else torch.tensor(tokens.shape[1])
        mean = torch.where(masked, 0, tokens).sum(dim=1) / count
        return masked * (1 + mean)[:, None] * 0.7


def test_padding_that_changes_losses_is_found() -> None:
    assert verdict_of(ids.check_model(Averages(told=False)), "batch") == "do not use"
    assert verdict_of(ids.check_model(Averages(told=True)), "batch") == "fine"


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
    with pytest.raises(ids.InputError, match="the tokenizer cannot encode the texts: substring not found"):
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
    with pytest.raises(ids.InputError, match=r"int has no token_nll\(tokens, masked\): check is for"):
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
    (tmp_path / "config.json").write_text('{"model_type": "e2d2", "architectures": ["E2D2"]}')
    check = check_checkpoint(tmp_path, LoadingOptions())
    assert check.verdict == "do not use"
    assert check.measured["refused_family"] == "e2d2"


@pytest.mark.parametrize("family", ["llada", "dream", "mdlm", "radd", "sedd", "smdm"])
def test_the_computation_is_compared_with_the_plain_one(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for guidance in (0.0, 1.5):
        model = unchecked(network(family), family, guidance=guidance)
        assert verdict_of(ids.check_model(model), "computation") == "fine"
    compute = MaskedLanguageModel.token_nll

    def long_only(self: MaskedLanguageModel, tokens: Tensor, masked: Tensor) -> Tensor:
        return compute(self, tokens, masked) * (1.01 if tokens.shape[1] > 40 else 1.0)

    monkeypatch.setattr(UncheckedModel, "token_nll", long_only, raising=False)
    assert verdict_of(ids.check_model(unchecked(network(family), family)), "computation") == "do not use"


@pytest.mark.parametrize("family", ["coda", "rnd1", "dream"])
def test_shifted_networks_without_bos_are_fine(family: str) -> None:
    model = wrapped(network("dream"), family)
    assert model.shifted
    assert not model.before
    check = ids.check_model(model)
    assert "do not use" not in [verdict.verdict for verdict in check.diagnosis.verdicts], str(check)
    assert verdict_of(check, "fingerprint") == "fine"
    assert ids.validate_model(model).agrees


def test_special_tokens_of_the_tokenizer_are_not_drawn() -> None:
    trial = make_trial(wrapped(network("llada"), tokenizer=Letters()), None, 0)
    assert 9 not in trial.symbols
    assert 9 in make_trial(wrapped(network("llada")), None, 0).symbols


def test_a_parameter_for_the_tokens_may_have_any_name() -> None:
    class Named(tiny_networks.LLaDA):
        def forward(self, t: Tensor) -> SimpleNamespace:
            return super().forward(t)

    class Timed(tiny_networks.LLaDA):
        def forward(self, tokens: Tensor, t: Tensor | None = None) -> SimpleNamespace:
            return super().forward(tokens)

    assert "time" not in names(ids.check_model(wrapped(Named(SimpleNamespace(vocab_size=VOCABULARY)))))
    assert verdict_of(ids.check_model(wrapped(Timed(SimpleNamespace(vocab_size=VOCABULARY)))), "time") == "caution"


class Own:
    """A model of a user, with a fault by name."""

    vocabulary = 5

    def __init__(self, fault: str = "", longest: int | None = 16) -> None:
        self.fault, self.calls = fault, 0
        if longest is not None:
            self.longest = longest

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Any:
        self.calls += 1
        seen = torch.where(masked, 0, tokens).sum(dim=1)[:, None, None] % 3
        logs = torch.log_softmax(torch.arange(5.0) + seen * torch.linspace(0, 1, 5), dim=-1)
        losses = -logs.expand(*tokens.shape, 5).gather(2, tokens[..., None])[..., 0] * masked
        if self.fault == "raises":
            raise IndexError("index out of range in self")
        if self.fault == "mutates":
            tokens.zero_()
        if self.fault == "limit" and tokens.shape[1] > 100:
            raise IndexError("index out of range in self")
        noisy = {"long": tokens.shape[1] >= 100, "batch": len(tokens) > 16, "drift": self.calls > 30}
        if noisy.get(self.fault, False):
            losses = losses + masked * (1.0 if self.fault == "drift" else torch.rand(()))
        faults = {
            "bits": losses / 0.6931,
            "plus 1": losses + masked,
            "visible": losses + ~masked * 0.1,
            "shape": losses[:, :-1],
            "numpy": losses.numpy(),
            "integer": losses.long(),
        }
        return faults.get(self.fault, losses)


@pytest.mark.parametrize(
    ("fault", "check", "verdict"),
    [
        ("bits", "normalised", "caution"),
        ("plus 1", "normalised", "caution"),
        ("visible", "visible tokens", "caution"),
        ("long", "length", "do not use"),
        ("batch", "batch", "do not use"),
        ("drift", "drift", "do not use"),
        ("limit", "length", "caution"),
        ("raises", "call", "do not use"),
        ("shape", "call", "do not use"),
        ("numpy", "call", "do not use"),
        ("integer", "call", "do not use"),
        ("mutates", "call", "do not use"),
    ],
)
def test_faults_of_own_models_are_found(fault: str, check: str, verdict: str) -> None:
    found = ids.check_model(Own(fault, longest=512))
    assert verdict_of(found, check) == verdict, str(found)
    assert names(found).count("call") <= 2
    assert all("\n" not in entry.reason + entry.measured for entry in found.diagnosis.verdicts)
    sound = ids.check_model(Own(longest=512))  # control
    assert sound.verdict == "fine", str(sound)
    assert sound.measured["takes_longest"]


def test_losses_at_visible_positions_do_not_change_estimates() -> None:
    results = [
        ids.estimate_nll(Own(fault), [[0, 1, 2, 3]], passes=8, replicates=2)["nll"].item() for fault in ("visible", "")
    ]
    assert results[0] == results[1]


def test_a_length_that_the_network_does_not_take_is_found() -> None:
    net = Attending("full")  # 80 positions
    long = ids.check_model(MaskedLanguageModel(net, "llada", mask_id=MASK, length=512))
    assert verdict_of(long, "length") == "caution"
    assert not long.measured["takes_longest"]
    assert verdict_of(ids.check_model(MaskedLanguageModel(net, "llada", mask_id=MASK, length=80)), "length") == "fine"
    short = ids.check_model(MaskedLanguageModel(Short(), "llada", mask_id=MASK, length=512))
    assert verdict_of(short, "call") == "do not use"
    assert "IndexError" in short.overall


class Short(Attending):
    """A network of 20 positions."""

    def __init__(self) -> None:
        super().__init__("full")
        self.place = nn.Embedding(20, 16)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"seed": 0.5}, "seed must be an integer"),
        ({"texts": "abc"}, "texts must be a sequence of texts"),
        ({"texts": []}, "texts must contain at least one text"),
        ({"texts": ["abc"]}, r"Own has no encode\(text\)"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ids.InputError, match=sentence):
        ids.check_model(Own(), **arguments)


def test_a_model_is_checked_by_its_name(tmp_path: Path) -> None:
    assert ids.check_model("austen").measured["attention"] == "bidirectional"
    (tmp_path / "config.json").write_text('{"model_type": "e2d2", "architectures": ["E2D2"]}')
    check = ids.check_model(f"hf:{tmp_path}", trust_remote_code=True)
    assert (check.verdict, check.measured["refused_family"]) == ("do not use", "e2d2")
    with pytest.raises(ids.InputError, match="colour= is no option of load_model"):
        ids.check_model(f"hf:{tmp_path}", colour="red")
    with pytest.raises(ids.InputError, match="mask_id= is an option of models given by their names"):
        ids.check_model(ids.load_model("austen"), mask_id=3)
    with pytest.raises(ids.InputError, match=f"is a Hugging Face model folder: use 'hf:{tmp_path}'"):
        ids.load_model(str(tmp_path))
