"""The exact mean of each published scheme: its plans are enumerated, rates by exact quadrature, keys by their cells."""

import itertools

import numpy as np
import pytest

from estimators import all_masks, estimator
from tests.estimators.masked.published.test_traits import NAMES, UNBIASED
from tests.support.enumeration import OnePoint, Points, estimand_by_mask, expected_weights, weight_by_mask, worst_z

LENGTH = 3
DRAWN = ("spg",)  # not a sum
OTHERS = (*DRAWN, "mdlm-discrete", "parameter-golf-loss")


def gauss(count):
    points, weights = np.polynomial.legendre.leggauss(count)
    return (points + 1) / 2, weights / 2


def stratified(passes, u):
    return (np.arange(passes) + u) / passes


# The masking rates of the passes from the first coordinate u of their points, as the repositories compute them.
RATES = {
    "mdlm": lambda passes, u: 0.999 * (0.001 + 0.999 * stratified(passes, u)),
    "bd3lm": lambda passes, u: 0.001 + 0.999 * stratified(passes, u),
    "dream": lambda passes, u: 0.001 + 0.999 * stratified(passes, u),
    "radd": stratified,
    "smdm": stratified,
    "gidd": lambda passes, u: 0.9999 * np.linspace(1e-4, 1 - 1e-4, passes),
    "discrete-elbo": lambda passes, u: 0.999 * np.arange(1, passes + 1) / passes,
    "diffucoder": lambda passes, u: np.array([0.2 + 0.6 * u]),
}


def cells(rates, length):
    """Return a key of every combination of the intervals between rates, and its probability."""
    ends = np.unique(np.concatenate([[0.0], np.ravel(rates), [1.0]]))
    middles, widths = (ends[1:] + ends[:-1]) / 2, np.diff(ends)
    keys = np.array(list(itertools.product(middles, repeat=length)))
    return keys, np.prod(list(itertools.product(widths, repeat=length)), axis=1)


def enumerated(name, passes, levels, rates, length=LENGTH):
    """Enumerate the expected weights of a scheme of threshold masks, over first coordinates and their shares."""
    total = 0.0
    for u, share in zip(*levels, strict=True):
        keys, probabilities = cells(rates(passes, u), length)
        points = np.column_stack([np.full(len(keys), u), keys])
        plan = estimator(name).plan(length, passes, len(points), Points(points))
        total = total + share * np.tensordot(probabilities, weight_by_mask(plan), axes=1)
    return total


def declared(name, passes, length=LENGTH):
    masks = all_masks(length)
    return masks * estimator(name).expected_weights(length, passes)[masks.sum(axis=1)][:, None]


def assert_declared(name, found, passes, length=LENGTH):
    np.testing.assert_allclose(found, declared(name, passes, length), rtol=1e-10, atol=1e-13)
    agrees = np.allclose(found, estimand_by_mask(length), rtol=2e-4)
    assert agrees == (name in UNBIASED)  # control: biased schemes have other weights than the likelihood


@pytest.mark.parametrize("passes", [3, 4])
@pytest.mark.parametrize("name", RATES)
def test_maths_expected_weights_of_rates(name, passes):
    """Weights over rates are polynomials of degree below the length, so that three nodes are exact."""
    found = enumerated(f"published-{name}", passes, gauss(3), RATES[name])
    assert_declared(f"published-{name}", found, passes)


def test_maths_expected_weights_of_random_steps():
    """Step 1 of 1000 never occurs, as times begin at 0.001; the others are equally likely."""
    levels = (np.arange(999) + 0.5) / 999
    step = {u: 0.999 * (index + 2) / 1000 for index, u in enumerate(levels)}
    found = enumerated("published-mdlm-discrete", 1, (levels, np.full(999, 1 / 999)), lambda _, u: step[u], length=2)
    assert_declared("published-mdlm-discrete", found, 1, length=2)


def test_maths_expected_weights_of_the_visible_share():
    """The weight is no polynomial of the rate: 40 nodes integrate it to 1e-20."""
    name = "published-parameter-golf-loss"
    found = enumerated(name, 2, gauss(40), lambda passes, u: np.full(passes, 0.9 * u))
    assert_declared(name, found, 2)
    nodes, shares = gauss(40)
    visible = 1 - 0.9 * nodes
    for length in (1, 2, 5):
        law = estimator(name).mask_map.law(length)
        sizes = np.arange(1, length + 1)
        given = (1 - visible[:, None]) ** sizes * visible[:, None] ** (length - sizes)
        for power, moment in ((0, law.probability), (1, law.first_moment), (2, law.second_moment)):
            np.testing.assert_allclose((shares * (0.9 / visible) ** power) @ given, moment[1:], rtol=1e-10)


COUNTS = [name for name in NAMES if name.removeprefix("published-") not in (*RATES, *OTHERS)]


@pytest.mark.parametrize("name", COUNTS)
def test_maths_expected_weights_of_counts(name):
    """LLaDA's halves are rounded to even numbers with 8 passes at length 4."""
    length, passes = 4, 8
    assert_declared(name, expected_weights(estimator(name), length, passes), passes, length)


def test_every_scheme_that_is_a_sum_is_enumerated():
    assert {*(f"published-{name}" for name in (*RATES, *OTHERS)), *COUNTS} == set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("published-spg", "published-gidd")])
def test_maths_simulated_weights_agree(name):
    """4.5 standard errors over 32 masks and positions; GIDD's first pass masks too rarely to estimate its spread."""
    assert worst_z(estimator(name), 6, declared(name, 6, 4)) < 4.5


def test_control_the_simulation_finds_weights_of_the_likelihood_in_a_biased_scheme():
    for name in ("published-diffucoder", "published-discrete-elbo"):
        assert worst_z(estimator(name), 6, estimand_by_mask(4)) > 20


class SamePoint(OnePoint):
    """Every block draws the same point."""

    def spawn(self, count):
        return [self] * count


@pytest.mark.parametrize(("passes", "blocks"), [(1, 2), (2, 2), (1, 3)])
def test_maths_each_block_of_bd3lm_has_strata_of_its_own(passes, blocks):
    """The mean of a block: its strata are enumerated, and it is not the mean over all rates."""
    scheme, length, masks = estimator("published-bd3lm"), 2, all_masks(2)
    found = 0.0
    for u, share in zip(*gauss(2), strict=True):
        index = np.arange(passes)[:, None] * blocks + np.arange(blocks)
        keys, probabilities = cells(0.001 + 0.999 * (index + u) / (passes * blocks), length)
        for key, probability in zip(keys, probabilities, strict=True):
            plan = scheme.blocks_plan(length, passes, blocks, SamePoint(np.array([u, *key])))
            found = found + share * probability * weight_by_mask(plan)
    for mask, position in zip(*np.nonzero(masks), strict=True):
        losses = np.zeros((blocks, len(masks), length))
        losses[:, mask, position] = 1.0
        np.testing.assert_allclose(scheme.expectations(losses, passes), found[:, mask, position], rtol=1e-10)
    one = declared("published-bd3lm", passes, length)
    assert not np.allclose(found[0], one, rtol=0.05)
    np.testing.assert_allclose(found.mean(axis=0) if passes * blocks > 1 else found[0], one, rtol=1e-10)
