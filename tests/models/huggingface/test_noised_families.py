"""Networks for uniform and mixed noise as score models: each family against the formula of its own training loss."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import infodis_stats as ids
from estimators import Absorbing, InputError, Mixed, ModelError, Noise, TokenError, Uniform, score_entropy
from infodis_stats.models import NoisedLanguageModel, load_model
from infodis_stats.models.huggingface import NOISED_FAMILIES, load_huggingface
from infodis_stats.models.score_ratios import posterior_ratios
from infodis_stats.models.text_model import NoisedTextModel
from tests.support import tiny_networks
from tests.support.checkpoints import word_tokenizer, write_checkpoint
from tests.support.direct import randomised
from tests.support.noised_checkpoints import NOISED, SYMBOLS, write_noised
from tests.support.noised_laws import NoisedLaw

pytest.importorskip("transformers")

LENGTH = 16
ALPHA = np.array([0.97, 0.6, 0.2, 0.01])  # what is kept, row by row
AMOUNTS = torch.from_numpy(-np.log(ALPHA))


def load(folder: Path, **options: Any) -> NoisedLanguageModel:
    model = load_model(f"hf:{folder}", trust_remote_code=True, **options)
    assert isinstance(model, NoisedLanguageModel)
    return model


def case(noise: Noise) -> tuple[Tensor, Tensor]:
    """Clean and noised rows, one for each amount of noise."""
    rng = np.random.default_rng(3)
    clean = rng.integers(0, SYMBOLS, (len(ALPHA), LENGTH))
    noised = noise.drawn(clean, AMOUNTS.numpy(), rng.random(clean.shape), SYMBOLS)
    return torch.from_numpy(clean), torch.from_numpy(noised)


def ours(ratios: Tensor, clean: Tensor, noised: Tensor, noise: Noise) -> np.ndarray:
    return score_entropy(ratios, clean, noised, AMOUNTS, noise=noise, symbols=SYMBOLS).numpy()


def udlm(predicted: np.ndarray, clean: int, noised: int, alpha: float) -> float:
    """The integrand of the continuous bound of UDLM (arXiv 2412.10193) and Duo, per unit of total noise."""
    bars = SYMBOLS * alpha * np.stack([np.eye(SYMBOLS)[clean], predicted]) + 1 - alpha
    true, modelled = bars / bars[:, [noised]]
    logs = np.log(true) - np.log(modelled)
    return float((SYMBOLS / bars[1, noised] - SYMBOLS / bars[0, noised] + true @ logs) / SYMBOLS)


def gidd(predicted: np.ndarray, clean: int, noised: int, alpha: float) -> float:
    """The bound of GIDD (arXiv 2503.04482), per unit of total noise: a weight times ``KL + IS`` of the two mixtures."""
    (time,) = np.roots([1 + (0.5 * alpha) ** 2, 2 * (alpha - 1) - (0.5 * alpha) ** 2, (1 - alpha) ** 2]).real.min()[
        None
    ]
    change = 0.5 * np.sqrt(time * (1 - time))
    slope = 0.5 * (1 - 2 * time) / (2 * np.sqrt(time * (1 - time)))
    mixing = np.append(np.full(SYMBOLS, change / SYMBOLS), time) / (1 + change)
    assert alpha == pytest.approx((1 - time) / (1 + change))
    true, modelled = (alpha * np.append(law, 0.0) + mixing for law in (np.eye(SYMBOLS)[clean], predicted))
    arriving = np.append(np.full(SYMBOLS, (change + (1 - time) * slope) / SYMBOLS), 1.0) / ((1 - time) * (1 + change))
    ratio = true[noised] / modelled[noised]
    divergence = true @ np.log(true / modelled) + ratio - np.log(ratio) - 1
    return float(arriving[noised] / true[noised] * divergence / (1 / (1 - time) + slope / (1 + change)))


FORMULAS = {"udlm": udlm, "duo": udlm, "gidd": gidd}
TIMES = {"udlm": -np.log(ALPHA), "duo": -np.log(ALPHA), "gidd": Mixed(0.2).time(AMOUNTS).numpy()}


@pytest.mark.parametrize("name", NOISED)
def test_maths_a_published_folder_gives_the_integrand_of_its_own_loss(name: str, tmp_path: Path) -> None:
    net = write_noised(tmp_path, name)
    model = load(tmp_path)
    assert (model.family.name, model.vocabulary_size, model.longest, model.exact_length) == (
        name,
        SYMBOLS,
        LENGTH,
        name == "gidd",
    )
    assert model.noise == (Mixed(0.2) if name == "gidd" else Uniform())
    assert isinstance(model, NoisedTextModel)
    clean, noised = case(model.noise)
    with torch.no_grad():
        outputs = net(noised, torch.from_numpy(TIMES[name]).float())[..., :SYMBOLS]
    predicted = outputs.double().softmax(dim=2).numpy()
    formula = FORMULAS[name]
    expected = np.array(
        [
            [formula(predicted[row, i], int(clean[row, i]), int(noised[row, i]), ALPHA[row]) for i in range(LENGTH)]
            for row in range(len(ALPHA))
        ]
    )
    everywhere = torch.ones_like(noised, dtype=torch.bool)
    found = ours(model.log_ratios(noised, everywhere, AMOUNTS, model.noise), clean, noised, model.noise)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    # Control: outputs that are taken for the posterior given the whole sequence.
    wrong = ours(posterior_ratios(outputs, noised, AMOUNTS, model.noise), clean, noised, model.noise)
    assert np.abs(wrong - expected).max() > 1.0
    # Control: another time.
    other = model.log_ratios(noised, everywhere, AMOUNTS.flip(0), model.noise)
    assert np.abs(ours(other, clean, noised, model.noise) - expected).max() > 0.1


def test_maths_sedd_gives_the_log_ratios_themselves() -> None:
    net = sedd()
    model = NoisedLanguageModel(net, "sedd-uniform", length=LENGTH)
    clean, noised = case(Uniform())
    with torch.no_grad():
        scores = net(noised, AMOUNTS.float()).double().numpy()
    expected = np.zeros(clean.shape)
    for row, place in np.ndindex(*clean.shape):
        kernel = np.full(SYMBOLS, (1 - ALPHA[row]) / SYMBOLS)
        kernel[clean[row, place]] += ALPHA[row]
        true = kernel / kernel[noised[row, place]]
        terms = np.exp(scores[row, place]) - true * scores[row, place] + true * (np.log(true) - 1)
        expected[row, place] = np.delete(terms, noised[row, place]).sum() / SYMBOLS
    ratios = model.log_ratios(noised, noised >= 0, AMOUNTS, Uniform())
    np.testing.assert_allclose(ours(ratios, clean, noised, Uniform()), expected, rtol=1e-4, atol=1e-5)
    wrong = posterior_ratios(torch.from_numpy(scores), noised, AMOUNTS, Uniform())
    assert np.abs(ours(wrong, clean, noised, Uniform()) - expected).max() > 0.1


def sedd(**settings: Any) -> nn.Module:
    net = randomised(tiny_networks.SEDD(SimpleNamespace(vocab_size=SYMBOLS)))
    net.config = {"tokens": SYMBOLS, "graph": {"type": "uniform"}, "noise": {"type": "loglinear"}, **settings}
    return net


LAW = ids.MarkovChain.random(1, "ABC", seed=2)


class OfLaw(nn.Module):
    """What a network of a family learns in the end, for a law over three symbols: its logits, or its log ratios."""

    def __init__(self, noise: Noise, *, scores: bool = False, posterior: bool = False) -> None:
        super().__init__()
        self.noise, self.scores, self.posterior, self.asked = noise, scores, posterior, []

    def forward(self, states: Tensor, time: Tensor) -> Tensor:
        amounts = time.double()
        if isinstance(self.noise, Mixed):
            change = 0.5 * (amounts * (1 - amounts)).sqrt()
            amounts = torch.log1p(change) - torch.log1p(-amounts)
        self.asked += amounts.tolist()
        if self.scores:
            return LAW.log_ratios(states, states >= 0, amounts, self.noise)
        evidence = self.noise.kernel(amounts, 3)[torch.arange(len(states))[:, None], states]
        logs = LAW.posterior(evidence)[1].log()
        logs = logs if self.posterior else logs - evidence.log()
        return torch.nn.functional.pad(logs, (0, self.noise.states(3) - 3))


def of_law(name: str, **options: Any) -> NoisedLanguageModel:
    noise = Mixed(0.2) if name == "gidd" else Uniform()
    config = {"p_uniform": 0.2, "t_eps": 1e-4} if name == "gidd" else {}
    return NoisedLanguageModel(
        OfLaw(noise, scores=name == "sedd-uniform", **options), name, length=LENGTH, config=config
    )


@pytest.mark.parametrize("name", NOISED_FAMILIES)
def test_maths_the_optimum_of_each_loss_gives_the_ratios_of_the_law(name: str) -> None:
    model, amounts = of_law(name), torch.tensor([0.01, 0.5, 4.0], dtype=torch.float64)
    states = torch.tensor([[0, 2, 1], [1, 1, 0], [2, 0, 0]])
    if name == "gidd":
        states[1, 2] = 3
    acts = states >= 0
    expected = LAW.log_ratios(states, acts, amounts, model.noise)
    torch.testing.assert_close(model.log_ratios(states, acts, amounts, model.noise), expected, atol=1e-4, rtol=0)
    if name != "sedd-uniform":  # control: a network that predicts the posterior
        wrong = of_law(name, posterior=True).log_ratios(states, acts, amounts, model.noise)
        assert (wrong - expected).abs().max() > 0.5


@pytest.mark.parametrize("name", ["duo", "sedd-uniform"])
def test_maths_beyond_the_ends_of_training_the_bound_stays_close(name: str) -> None:
    """Over all noise, from nothing to all: the time is held at its ends, and the ratios go on."""
    model = of_law(name)
    law = NoisedLaw(LAW, 2, Uniform())
    amounts, step = np.exp(np.arange(-25.0, 4.5, 0.1)), 0.1
    bound = (amounts * step) @ law.expected_score_entropy(model, amounts)
    np.testing.assert_allclose(bound, law.nll, atol=0.02)
    weights = np.exp(-law.nll)
    assert weights @ bound > weights @ law.nll - 1e-6  # a bound on average, even where ratios are held
    asked = np.array(model.network.asked)
    assert (asked.min(), asked.max()) == pytest.approx((1e-3, np.log(1000)), rel=1e-3)


def test_the_ends_of_training_are_those_of_the_schedule() -> None:
    geometric = {"noise": {"type": "geometric", "sigma_min": 1e-4, "sigma_max": 20}}
    assert NOISED_FAMILIES["sedd-uniform"].trained(Uniform(), geometric) == pytest.approx([1e-4, 20.0], rel=0.02)
    assert NOISED_FAMILIES["duo"].trained(Uniform(), {}) == pytest.approx([1e-3, np.log(1000)], rel=1e-3)
    gidd, mixed = NOISED_FAMILIES["gidd"], Mixed(0.2)
    ends = torch.tensor(gidd.trained(mixed, {"t_eps": 1e-3}), dtype=torch.float64)
    assert gidd.time(ends, mixed).tolist() == pytest.approx([1e-3, 1 - 1e-3])
    half = torch.tensor([np.log(2.0)], dtype=torch.float64)
    assert gidd.time(half, Absorbing()).tolist() == pytest.approx([0.5])


def test_a_schedule_that_the_family_was_not_trained_for_is_refused() -> None:
    """Control: a schedule within the noise of training is not refused."""
    with pytest.raises(ids.InputError, match=r"trained for total noise from 0.000999 to 6.91, and 28% of the passes"):
        ids.estimate_nll(of_law("duo"), [[0, 1]], "score-entropy(uniform,geometric)", passes=4)
    ids.estimate_nll(of_law("duo"), [[0, 1]], "score-entropy(uniform,polynomial)", passes=4)


def test_gidd_without_uniform_noise_is_for_absorbing_noise(tmp_path: Path) -> None:
    write_noised(tmp_path, "gidd", p_uniform=0.0)
    model = load(tmp_path)
    assert (model.noise, model.vocabulary_size) == (Absorbing(), SYMBOLS)
    result = ids.estimate_nll(model, np.zeros((1, LENGTH), dtype=np.int64), passes=16)
    assert result["estimator"].item() == "score-entropy(absorbing,polynomial)+stratified"
    assert np.isfinite(result["nll"]).all()


class TestEstimates:
    def test_texts(self, tmp_path: Path) -> None:
        write_noised(tmp_path, "duo", vocab_size=13)
        word_tokenizer(tmp_path, bos="<s>", eos="</s>", mask=None)
        model = load(tmp_path)
        np.testing.assert_array_equal(model.encode("A C D"), [4, 5, 6])
        assert model.decode(np.array([4, 5, 6])) == "A C D"
        result = ids.estimate_texts(model, ["A C D", "E F"], passes=16)
        assert np.isfinite(result["nll"]).all()
        again = load(tmp_path)
        assert again.fingerprint() == model.fingerprint()
        with torch.no_grad():
            next(again.network.parameters()).add_(1.0)
        assert again.fingerprint() != model.fingerprint()
        assert (repr(model), model.conventions()["noise"]) == (f"<NoisedLanguageModel: {model.describe()}>", "uniform")

    def test_context_is_shown_clean(self) -> None:
        seen = []

        class Watched(nn.Module):
            def forward(self, states: Tensor, time: Tensor) -> Tensor:
                seen.append(states)
                return torch.zeros(*states.shape, SYMBOLS)

        model = NoisedLanguageModel(Watched(), "duo", length=LENGTH)
        seen.clear()
        ids.estimate_nll(model, [[7, 8, 9, 9]], "score-entropy(uniform)", passes=32, context=2)
        states = torch.cat(seen)
        assert (states[:, :2] == torch.tensor([7, 8])).all()
        assert (states[:, 2:] != 9).any()

    def test_even_ratios_give_the_likelihood_of_even_symbols(self) -> None:
        class Even(nn.Module):
            def forward(self, states: Tensor, time: Tensor) -> Tensor:
                return torch.zeros(*states.shape, SYMBOLS)

        model = NoisedLanguageModel(Even(), "duo", length=LENGTH)
        for name in ("auto", "score-entropy(uniform,polynomial)+stratified"):
            result = ids.estimate_nll(model, [[3]], name, passes=512, replicates=16)
            assert abs(result["nll"].item() - np.log(SYMBOLS)) < 4 * result["nll_se"].item()


class TestRefusals:
    def test_estimators_of_masks_and_averages_over_own_noise(self) -> None:
        model = of_law("duo")
        with pytest.raises(InputError, match=r"^NoisedLanguageModel does not price masked tokens"):
            ids.estimate_nll(model, [[0, 1]], "uniform-count")
        with pytest.raises(InputError, match="made for uniform noise, the estimator asks for absorbing noise"):
            ids.estimate_nll(model, [[0, 1]], "score-entropy(absorbing)")
        with pytest.raises(InputError, match="does not declare that its ratios come from one law"):
            ids.estimate_nll(model, [[0, 1]], "marginal-score-entropy(uniform)")
        with pytest.raises(InputError, match="the network was trained for uniform noise, not for absorbing noise"):
            model.log_ratios(torch.tensor([[0]]), torch.tensor([[True]]), AMOUNTS[:1], Absorbing())

    def test_sequences(self, tmp_path: Path) -> None:
        write_noised(tmp_path, "gidd")
        model = load(tmp_path)
        with pytest.raises(InputError, match="a sequence of 17 tokens exceeds the model's maximum of 16"):
            ids.estimate_nll(model, [[0] * 17], passes=2)
        with pytest.raises(InputError, match="takes sequences of exactly 16 tokens, got 3: add given tokens"):
            ids.estimate_nll(model, [[0] * 3], passes=2)
        states = torch.full((1, 16), 13)
        with pytest.raises(TokenError, match="state 13 is not one of 13 states"):
            model.log_ratios(states, states > 0, AMOUNTS[:1], model.noise)

    @pytest.mark.parametrize(
        ("name", "settings", "sentence"),
        [
            ("duo", {"causal": True}, "this Duo cannot be used as a score model: it is causal"),
            ("udlm", {"cfg": True}, "this UDLM cannot be used as a score model: it is trained with class labels"),
            ("gidd", {"p_uniform": 1.5}, r"p_uniform in the configuration must be a number in \[0, 1\), got 1.5"),
        ],
    )
    def test_configurations(self, name: str, settings: dict[str, Any], sentence: str, tmp_path: Path) -> None:
        write_noised(tmp_path, name, **settings)
        with pytest.raises(InputError, match=sentence):
            load(tmp_path)

    def test_sedd_that_scales_its_scores(self) -> None:
        with pytest.raises(InputError, match="scale_by_sigma, which its code has for absorbing noise alone"):
            NoisedLanguageModel(sedd(model={"scale_by_sigma": True}), "sedd-uniform", length=LENGTH)

    @pytest.mark.parametrize("option", [{"mask_id": 3}, {"guidance": 1.0}, {"before": (1,)}])
    def test_options_of_masked_models(self, option: dict[str, Any], tmp_path: Path) -> None:
        write_noised(tmp_path, "duo")
        with pytest.raises(InputError, match=rf"^{next(iter(option))}= is an option of masked models, but .* \(duo\)"):
            load(tmp_path, **option)

    def test_families_that_do_not_fit(self, tmp_path: Path) -> None:
        write_noised(tmp_path, "duo")
        with pytest.raises(InputError, match="cannot be used as a masked model: it is trained with uniform noise"):
            load(tmp_path, family="llada")
        with pytest.raises(InputError, match=r"this is Duo by its configuration, not UDLM: leave out family='udlm'"):
            load(tmp_path, family="udlm")
        with pytest.raises(InputError, match=r"; load_model makes a score model of it"):
            load_huggingface(tmp_path, trust_remote_code=True)
        with pytest.raises(InputError, match="the family of a score model must be one of udlm, duo, gidd"):
            NoisedLanguageModel(sedd(), "llada", length=LENGTH)
        (tmp_path / "masks").mkdir()
        write_checkpoint(tmp_path / "masks", "llada")
        with pytest.raises(InputError, match=r"this is LLaDA.* by its configuration, not Duo"):
            load(tmp_path / "masks", family="duo")

    def test_folders_without_code_or_trust(self, tmp_path: Path) -> None:
        config = {"tokens": 12, "graph": {"type": "uniform"}, "model": {"type": "ddit", "length": 16}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        (tmp_path / "model.safetensors").write_bytes(b"")
        with pytest.raises(
            InputError, match=r"wrap it in NoisedLanguageModel\(network, 'sedd-uniform', length=\.\.\.\)"
        ):
            load(tmp_path)
        write_noised(tmp_path, "duo")
        with pytest.raises(InputError, match="run only with trust_remote_code=True"):
            load_model(f"hf:{tmp_path}")

    def test_tokenizers_that_do_not_fit(self, tmp_path: Path) -> None:
        write_noised(tmp_path, "duo", vocab_size=300)
        word_tokenizer(tmp_path, bos="<s>", eos="</s>", mask=None)
        with pytest.raises(InputError, match="the tokenizer has 13 tokens but the network has 300"):
            load(tmp_path)
        write_noised(tmp_path, "gidd", vocab_size=14)
        word_tokenizer(tmp_path, bos="<s>", eos="</s>", mask="<mask>")
        with pytest.raises(
            InputError, match=r"the mask of mixed-0\.2 noise is the last of the network's 14 outputs, but"
        ):
            load(tmp_path)

    def test_networks(self) -> None:
        class Random(nn.Module):
            def forward(self, states: Tensor, time: Tensor) -> Tensor:
                return torch.randn(*states.shape, SYMBOLS)

        with pytest.raises(ModelError, match="two identical calls of the network differ by"):
            NoisedLanguageModel(Random(), "duo", length=LENGTH)
        with pytest.raises(ModelError, match="cannot be called by the convention of family 'duo'"):
            NoisedLanguageModel(nn.Linear(2, 2), "duo", length=LENGTH)
        with pytest.raises(InputError, match="length must be at least 1, got 0"):
            NoisedLanguageModel(Random(), "duo", length=0)
