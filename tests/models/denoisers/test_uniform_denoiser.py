"""The uniform-noise denoiser: a score model for one noise, its files, and what it refuses."""

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig, UniformDenoiser, load_model
from infodis_stats.models.score_ratios import posterior_ratios
from infodis_stats.models.text_model import MaskedTextModel, NoisedTextModel
from tests.support.noised_laws import NoisedLaw

CONFIG = DenoiserConfig("abcd", length=12, layers=2, width=16, heads=2, noise="uniform", time=True)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    one = UniformDenoiser(CONFIG)
    for parameter in one.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return one.eval()


def call(model, amount=0.7, context=0):
    tokens = torch.randint(4, (5, 9), generator=torch.Generator().manual_seed(0))
    acts = (torch.arange(9) >= context).expand(5, 9)
    with torch.no_grad():
        return model.log_ratios(tokens, acts, torch.full((5,), amount, dtype=torch.float64), ids.Uniform())


def test_ratios_are_those_of_the_leave_one_out_prediction(model):
    """At each position the ratio of two states is that of their mixtures of kernels."""
    tokens = torch.randint(4, (5, 9), generator=torch.Generator().manual_seed(0))
    amount = torch.full((5,), 0.7, dtype=torch.float64)
    with torch.no_grad():
        clean = model.log_predictions(tokens, torch.ones(5, 9, dtype=torch.bool), amount).double().exp()
    mixed = clean @ ids.Uniform().kernel(amount, 4)[0].T
    expected = (mixed / mixed.gather(2, tokens[..., None])).log()
    torch.testing.assert_close(call(model).double(), expected, atol=1e-5, rtol=0)


def test_estimates_have_the_mean_of_the_integral_over_all_noised_sequences(model):
    """Two symbols: the score entropy summed over all noised sequences and integrated over noise, within 5 errors.

    Control: the integral of the ratios that the predictions would give as posteriors is not within them.
    """

    class Posterior(UniformDenoiser):
        def log_ratios(self, noised, acts, total_noise, noise):
            return posterior_ratios(self.log_predictions(noised, acts, total_noise), noised, total_noise, noise)

    wrong = Posterior(CONFIG).eval()
    wrong.load_state_dict(model.state_dict())
    law = NoisedLaw(ids.IndependentLaw(np.full((2, 4), 0.25), alphabet="abcd"), 2, ids.Uniform())
    amounts, step = np.exp(np.arange(-12.0, 4.0, 0.1)), 0.1
    with torch.no_grad():
        exact, other = ((amounts * step) @ law.expected_score_entropy(one, amounts) for one in (model, wrong))
    result = ids.estimate_nll(model, law.clean, passes=64, replicates=8, seed=1)
    errors = result["nll_se"].values
    assert (np.abs(result["nll"].values - exact) < 5 * errors).all()
    assert (np.abs(result["nll"].values - other) > 5 * errors).mean() > 0.5


def test_the_network_sees_the_amount_of_noise_and_the_context(model):
    silent = UniformDenoiser(DenoiserConfig("abcd", length=12, layers=1, width=16, heads=2, noise="uniform")).eval()
    with torch.no_grad():
        predictions = [
            one.log_predictions(
                torch.zeros(1, 5, dtype=torch.int64),
                torch.ones(1, 5, dtype=torch.bool),
                torch.tensor([amount], dtype=torch.float64),
            )
            for one in (model, silent)
            for amount in (0.1, 2.0)
        ]
    assert not torch.allclose(predictions[0], predictions[1], atol=1e-3)
    torch.testing.assert_close(predictions[2], predictions[3], atol=0, rtol=0)
    assert not torch.allclose(call(model)[:, 4:], call(model, context=4)[:, 4:], atol=1e-3)


def test_the_model_scores_texts_and_round_trips(model, tmp_path):
    path = tmp_path / "noised.safetensors"
    model.save(path)
    again = load_model(path)
    assert isinstance(again, UniformDenoiser)
    assert isinstance(again, ids.TextModel)
    assert isinstance(again, NoisedTextModel)
    assert not isinstance(again, MaskedTextModel)
    assert again.fingerprint() == model.fingerprint()
    assert again.describe().startswith("uniform denoiser noised ")
    result = ids.estimate_texts(again, [ids.Record("one", "ab", "cdca")], passes=8, replicates=4)
    assert "score-entropy(uniform,polynomial)+stratified" in str(result.attrs)
    assert np.isfinite(result["nll_ci"]).all()


@pytest.mark.parametrize("name", ["uniform-count", "chain", "exhaustive", "time-integral"])
def test_masked_estimators_are_refused(model, name):
    with pytest.raises(ids.InputError, match="UniformDenoiser does not price masked tokens"):
        ids.estimate_nll(model, [[0, 1, 2]], name, passes=8)


def test_other_noise_lengths_and_files_are_refused(model, tmp_path):
    with pytest.raises(ids.InputError, match="made for uniform noise, the estimator asks for absorbing noise"):
        ids.estimate_nll(model, [[0, 1]], "score-entropy(absorbing)", passes=8)
    with pytest.raises(ids.InputError, match="13 characters exceeds the model's maximum of 12"):
        ids.estimate_nll(model, [[0] * 13], passes=8)
    with pytest.raises(ids.InputError, match="has no score ratios under uniform noise"):
        ids.estimate_nll(ids.load_model("austen"), [[0, 1]], "score-entropy(uniform)", passes=8)
    path = tmp_path / "noised.safetensors"
    model.save(path)
    with pytest.raises(ids.InputError, match="a network for uniform noise: use UniformDenoiser"):
        Denoiser.load(path)
    with pytest.raises(ids.InputError, match="a network that predicts masked tokens"):
        UniformDenoiser(DenoiserConfig("ab", length=4, layers=1, width=4, heads=1))


def test_states_that_are_no_symbols_are_refused(model):
    with pytest.raises(ids.TokenError, match="token 4 is outside the model's 4 characters"):
        model.log_ratios(torch.tensor([[0, 4]]), torch.ones(1, 2, dtype=torch.bool), torch.ones(1), ids.Uniform())


def test_beyond_the_noise_of_training_the_network_is_told_the_nearer_end(model):
    ends = torch.tensor([*model.trained_noise], dtype=torch.float64)
    tokens, acts = torch.zeros(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.bool)
    with torch.no_grad():
        held = model.log_predictions(tokens, acts, torch.tensor([1e-6, 40.0], dtype=torch.float64))
        torch.testing.assert_close(held, model.log_predictions(tokens, acts, ends), atol=0, rtol=0)
        inside = model.log_predictions(tokens, acts, torch.tensor([0.02, 4.0], dtype=torch.float64))
    assert not torch.allclose(held, inside, atol=1e-3)


def test_models_of_different_noise_are_not_compared(model):
    masked = Denoiser(DenoiserConfig("abcd", length=12, layers=1, width=16, heads=2))
    for first, second in ((model, masked), (masked, model)):
        with pytest.raises(ids.InputError, match="so no estimator suits both"):
            ids.estimate_model_log_ratio(first, second, [[0, 1, 2]], passes=4)


def test_half_precision_has_a_fingerprint(model):
    half = UniformDenoiser(CONFIG).bfloat16()
    assert len(half.fingerprint()) == 64


@pytest.mark.parametrize("schedule", ["geometric", "polynomial,power=6", "log-linear,end=0.005"])
def test_schedules_that_are_mostly_outside_the_noise_of_training_are_refused(model, schedule):
    """Control: those that are mostly inside are not."""
    with pytest.raises(ids.InputError, match=r"was trained for total noise from 0.0101 to 4.61, and .* are outside"):
        ids.estimate_nll(model, [[0, 1]], f"score-entropy(uniform,{schedule})", passes=8)
    for fitting in ("log-linear", "polynomial", "polynomial,power=3", "geometric,smallest=0.01,largest=4"):
        assert ids.estimate_nll(model, [[0, 1]], f"score-entropy(uniform,{fitting})", passes=8)["nll"].item() > 0


def test_averages_over_own_noise_are_refused(model):
    with pytest.raises(ids.InputError, match="one law"):
        ids.estimate_nll(model, [[0, 1]], "marginal-score-entropy(uniform,polynomial)", passes=8)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"alphabet": "ab", "noise": "gaussian"}, "'uniform' or left out for masks, got 'gaussian'"),
        ({"alphabet": "ab", "time": True}, "time is for uniform noise"),
        ({"alphabet": "ab", "noise": "uniform", "block_size": 4}, "leave out block_size under uniform noise"),
        ({"alphabet": "ab", "tokenizer": "{}"}, "either an alphabet or a tokenizer"),
        ({"tokenizer": "{}"}, "must be one of the library tokenizers"),
    ],
)
def test_impossible_configurations_are_refused(wrong, message):
    with pytest.raises(ids.InputError, match=message):
        DenoiserConfig(**wrong)
