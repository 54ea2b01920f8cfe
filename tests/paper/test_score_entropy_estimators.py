"""Consequences of the paper's identities for the score-entropy estimators; these two statements are ours.

Under absorbing noise the score-entropy estimator equals the masked time integral, number by number. The marginal score
entropy, averaged over a position's own noise, has the mean of the plain score entropy.
"""

from pathlib import Path

import numpy as np
import pytest

import infodis_stats as ids
from estimators import Cell, Draw, draw, estimator, make_targets
from tests.support.noised_laws import CASES, MARKOV, MaskedModel, Tilted

DESIGNS = ["", "+stratified", "+antithetic", "+latin-hypercube", "+sobol"]
MODELS = {"law, context": (MARKOV, 10, 3), "inconsistent model": (MaskedModel(4, 3), 4, None)}
JOINING = {name: case for name, case in CASES.items() if case[0].noise.joins_all}
EVERY_JOINING = pytest.mark.parametrize(("noised", "wrong"), JOINING.values(), ids=JOINING)

STUDY = """\
title = "One study, two families"
seed = 3
passes = [8]
replicates = 8
estimators = ["{kind}", "{kind}+stratified", "{kind}+antithetic", "{kind}+sobol"]
law = {{ kind = "hidden-markov", states = 3, alphabet = "ACGT", seed = 5 }}
"""
LIKELIHOODS = f"""{STUDY}
reference = "{{kind}}"
targets = [{{{{ name = "seven", count = 3, length = 7, context = 2, seed = 1 }}}}]
"""
RATIOS = f"""{STUDY}
reference = "decoupled {{kind}}"
contrasts = ["coupled", "decoupled"]
pairs = [{{{{ name = "one substitution", count = 3, length = 6, context = 2, edit = "substitution" }}}}]
"""


def draws_of(name: str, model, length: int, context: int | None, seed: int = 7) -> list[Draw]:
    targets = make_targets(MARKOV.sample(3, length=length, seed=1), context)
    return list(draw(model, [Cell(estimator(name), target, 16, 32) for target in targets], seed))


def assert_same_numbers(scores: list[Draw], masked: list[Draw]):
    """Masks and passes are equal exactly, weighted losses and estimates to rounding."""
    for ours, theirs in zip(scores, masked, strict=True):
        (noised,), (hidden,) = ours.evaluations, theirs.evaluations
        np.testing.assert_array_equal(noised.plan.keys < noised.plan.hidden_fractions[..., None], hidden.plan.masks)
        rows = [one.plan.inputs(one.target).row_of_pass for one in (noised, hidden)]
        np.testing.assert_array_equal(rows[0] >= 0, rows[1] >= 0)
        assert ours.forward_passes == (rows[0] >= 0).sum()  # equal masks at different times are different inputs
        weighted = [one.plan.weights * one.losses for one in (noised, hidden)]
        np.testing.assert_allclose(*weighted, rtol=1e-9)
        np.testing.assert_allclose(noised.terms, hidden.terms, rtol=1e-9)
        np.testing.assert_allclose(ours.estimates, theirs.estimates, rtol=1e-9)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(("model", "length", "context"), MODELS.values(), ids=MODELS)
def test_absorbing_score_entropy_equals_the_time_integral_pass_by_pass(model, length, context, design):
    scores = draws_of(f"score-entropy(absorbing){design}", model, length, context)
    assert_same_numbers(scores, draws_of(f"time-integral{design}", model, length, context))


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("score-entropy(absorbing)", 8),
        ("score-entropy(uniform)", 7),
        ("score-entropy(absorbing,polynomial)", 7),
        ("score-entropy(absorbing)+stratified", 7),
    ],
)
def test_absorbing_control_another_seed_noise_schedule_or_design(name, seed):
    with pytest.raises(AssertionError, match=r"Arrays are not equal|Not equal to tolerance"):
        assert_same_numbers(draws_of(name, MARKOV, 10, 3, seed), draws_of("time-integral", MARKOV, 10, 3))


def estimates_of(path: Path, study: str, kind: str, seed: int = 3) -> np.ndarray:
    path.write_text(study.format(kind=kind).replace("seed = 3", f"seed = {seed}"))
    return ids.run_study(path)["draws"].to_dataset()["estimate"].values


def assert_same_estimates(found: np.ndarray, expected: np.ndarray):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("study", [LIKELIHOODS, RATIOS], ids=["likelihoods", "ratios"])
def test_absorbing_study_and_masked_study_with_the_same_seed_agree(tmp_path, study):
    """Two study files that differ only in the names of the estimators."""
    masked = estimates_of(tmp_path / "masked.toml", study, "time-integral")
    assert_same_estimates(estimates_of(tmp_path / "noised.toml", study, "score-entropy(absorbing)"), masked)


def test_absorbing_study_control_another_noise_or_seed(tmp_path):
    masked = estimates_of(tmp_path / "masked.toml", LIKELIHOODS, "time-integral")
    for kind, seed in (("score-entropy(uniform)", 3), ("score-entropy(absorbing)", 4)):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_same_estimates(estimates_of(tmp_path / "noised.toml", LIKELIHOODS, kind, seed), masked)


def assert_same_means(noised, model):
    """The means agree for every x0 at every time, to 1e-9."""
    total_noise = [1e-3, 0.1, 0.7, 4.0]
    plain, marginal = (noised.expected_score_entropy(model, total_noise, marginal=one) for one in (False, True))
    np.testing.assert_allclose(marginal, plain, rtol=1e-9)


@EVERY_JOINING
def test_marginal_score_entropy_has_the_mean_of_the_plain_score_entropy(noised, wrong):
    """For the ratios of any one law: at a position, given the other states, they do not depend on its own state."""
    assert_same_means(noised, noised.law)
    assert_same_means(noised, wrong)


@EVERY_JOINING
def test_marginal_control_inconsistent_ratios(noised, wrong):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_same_means(noised, Tilted(noised))
