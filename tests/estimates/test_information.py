"""Mutual information under noise: exact values match the definition, and estimates match the exact values."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

import infodis_stats as ids
from infodis_stats.results.validity import caution_sentences

LAW = ids.MarkovChain.random(order=1, alphabet="ABC", seed=3)
NOISES = [
    ids.Absorbing(),
    ids.Uniform(),
    ids.RateMatrix([[-1.0, 0.4, 0.2], [0.7, -0.9, 0.3], [0.3, 0.5, -0.5]], "all"),
    ids.RateMatrix([[-1.0, 0.0, 2.0], [1.0, -1.0, 0.0], [0.0, 1.0, -2.0]], "ring"),
]


def by_definition(law, noise, total_noise, length):
    """Sum over all pairs of strings of ``p(x, y) log(p(y | x) / p(y))``."""
    size = law.vocabulary_size
    kernel = noise.kernel(torch.tensor([total_noise], dtype=torch.float64), size)[0].numpy()
    clean = list(itertools.product(range(size), repeat=length))
    prior = np.exp(-law.nll(np.array(clean)))
    noised = itertools.product(range(noise.states(size)), repeat=length)
    total = 0.0
    for states in noised:
        given = np.array([kernel[list(states), list(symbols)].prod() for symbols in clean])
        marginal = (prior * given).sum()
        seen = given > 0
        total += (prior[seen] * given[seen] * np.log(given[seen] / marginal)).sum()
    return total


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
def test_exact_information_matches_its_definition(noise):
    amounts = [0.05, 0.7, 3.0]
    expected = [by_definition(LAW, noise, one, 3) for one in amounts]
    np.testing.assert_allclose(ids.exact_information(LAW, noise, amounts, 3), expected, rtol=0, atol=1e-12)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(ids.exact_information(LAW, noise, [0.06, 0.7, 3.0], 3), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
def test_exact_information_decreases_from_the_entropy_to_zero(noise):
    found = ids.exact_information(LAW, noise, [0.0, 0.1, 1.0, 5.0, np.inf], 3)
    assert found[0] == pytest.approx(LAW.entropy(3), rel=1e-12)
    assert (np.diff(found) < 0).all()
    assert found[-1] == 0


def z_scores(found, exact):
    """Return z-scores for all levels but the last, where the information is zero."""
    return (found["information"].values - exact)[:-1] / found["information_se"].values[:-1]


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
def test_the_estimate_is_unbiased_at_every_level(noise):
    found = ids.estimate_information(LAW, noise, length=3, sequences=1000, passes=8, levels=9, seed=1)
    exact = ids.exact_information(LAW, noise, -np.log1p(-np.linspace(0, 0.875, 8)), 3)
    np.testing.assert_allclose(found["exact"][:-1], exact, rtol=1e-12)
    assert np.abs(z_scores(found, found["exact"].values)).max() < 4
    assert (found["information"][-1], found["information_se"][-1]) == (0, 0)
    assert found.attrs["entropy"] == pytest.approx(found["exact"].values[0])
    wrong = ids.MarkovChain.random(order=1, alphabet="ABC", seed=4, concentration=0.5)
    amounts = -np.log1p(-found["noise_level"].values[:-1])
    off = z_scores(found, np.append(ids.exact_information(wrong, noise, amounts, 3), 0))
    assert np.abs(off).max() > 10


def test_scores_of_another_law_give_the_cross_entropy():
    """Sequences of one law under the scores of another give the cross entropy, which exceeds the entropy."""

    class Drawn(ids.MarkovChain):
        def sample(self, size, length=None, seed=0):
            return LAW.sample(size, length, seed)

    other = ids.MarkovChain.random(order=1, alphabet="ABC", seed=4)
    wrong = Drawn(other.initial, other.transition, "ABC")
    found = ids.estimate_information(wrong, ids.Uniform(), length=3, sequences=1000, levels=3)
    assert found["information"].values[0] - LAW.entropy(3) > 6 * found["information_se"].values[0]


@pytest.mark.slow
def test_all_score_entropies_of_the_noise_have_the_same_mean():
    names = ["score-entropy(uniform,polynomial,power=3)", "marginal-score-entropy(uniform,pilot=32)+sobol"]
    for name in names:
        found = ids.estimate_information(LAW, ids.Uniform(), length=3, estimator=name, sequences=1000, levels=5, seed=2)
        assert np.abs(z_scores(found, found["exact"].values)).max() < 4
        assert found.attrs["estimator"] == name


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISES[:2], ids=lambda noise: noise.name)
def test_bands_have_simultaneous_coverage(noise):
    """At least 180 of 200 bands at 95 % cover (fewer: P < 0.002); pointwise intervals of the same draws do not."""
    simultaneous = pointwise = 0
    for seed in range(200):
        found = ids.estimate_information(LAW, noise, length=3, sequences=64, passes=8, levels=9, seed=seed)
        error = np.abs(found["information"] - found["exact"]).values
        lower, upper = found["information_ci"].values.T
        simultaneous += bool((error <= (upper - lower) / 2 + 1e-12).all())
        pointwise += bool((error <= stats.t.ppf(0.975, 63) * found["information_se"].values + 1e-12).all())
    assert simultaneous >= 180
    assert pointwise < 180


def test_repeated_sequences_have_independent_noise():
    law = ids.TableLaw(["AB"], [1.0], alphabet="AB")
    found = ids.estimate_information(law, ids.Absorbing(), sequences=32, levels=3)
    assert found["information"].values.max() < 1e-12
    two = ids.TableLaw(["AAA", "BBB"], [0.5, 0.5])
    found = ids.estimate_information(two, ids.Uniform(), sequences=32, passes=2, levels=3)
    # If equal sequences shared their noise, 32 replicates would have 2 values.
    assert found["information_se"].values[0] > 0.01


def test_the_seed_changes_numbers_and_the_batch_size_does_not():
    asked = {"length": 3, "sequences": 8, "levels": 3}
    first = ids.estimate_information(LAW, ids.Uniform(), **asked)
    again = ids.estimate_information(LAW, ids.Uniform(), batch_size=7, **asked)
    other = ids.estimate_information(LAW, ids.Uniform(), seed=1, **asked)
    np.testing.assert_array_equal(first["information"], again["information"])
    assert (first["information"][0] != other["information"][0]).all()


def test_provenance_is_recorded_and_unknown_values_are_left_out():
    law = ids.HiddenMarkov.random(seed=0)
    found = ids.estimate_information(law, ids.Uniform(), length=11, sequences=8, passes=4, levels=3)
    assert "exact" not in found
    assert "entropy" not in found.attrs
    assert found.attrs["noise"] == "uniform"
    assert (found.attrs["sequences"], found.attrs["passes"], found.attrs["length"]) == (8, 4, 11)
    assert found.attrs["forward_passes"] == 32
    assert caution_sentences(found) == {}
    assert found["information_ci"].attrs["units"] == "nat"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"estimator": "uniform-count"}, "needs a score entropy"),
        ({"estimator": "score-entropy(absorbing)"}, "needs a score entropy"),
        ({"estimator": "score-entropy(uniform,end=0.5)"}, "stops before"),
        ({"levels": 1}, "levels must be an integer of at least 2, got 1"),
        ({"sequences": 1}, "sequences must be an integer of at least 2, got 1"),
        ({"length": None}, "needs a length"),
    ],
)
def test_bad_input_is_rejected(asked, words):
    with pytest.raises(ids.InputError, match=words):
        ids.estimate_information(LAW, ids.Uniform(), **({"length": 3} | asked))


def test_large_enumerations_and_negative_noise_are_rejected():
    with pytest.raises(ids.InputError, match=r"4\^11 strings"):
        ids.exact_information(LAW, ids.Absorbing(), [1.0], 11)
    with pytest.raises(ids.InputError, match="at least 0"):
        ids.exact_information(LAW, ids.Uniform(), [-1.0], 3)
