"""The choice of positions by their scores."""

import numpy as np
import pytest

from estimators.masked.decoding.choice import TIE, choose


def slow_choice(scores, count):
    deciding = sorted(scores, reverse=True)[min(count, len(scores)) - 1]
    above = [place for place, score in enumerate(scores) if score > deciding + TIE]
    equal = [place for place, score in enumerate(scores) if abs(score - deciding) <= TIE]
    return set((above + equal)[:count])


def test_equal_scores_go_by_position_and_others_by_size():
    for scores, count, expected in (
        ([0.1, 0.7, 0.7, 0.5], 1, [1]),
        ([0.1, 0.7, 0.7, 0.5], 3, [1, 2, 3]),
        ([0.7 - TIE / 2, 0.7], 1, [0]),
        ([0.7 - 2 * TIE, 0.7], 1, [1]),
        ([0.5, 0.6], 5, [0, 1]),
    ):
        chosen, _ = choose(np.array(scores), np.zeros(len(scores), dtype=int), count)
        assert np.flatnonzero(chosen).tolist() == expected


def test_groups_are_chosen_from_separately():
    scores = np.array([0.1, 0.9, 0.5, 0.3, 0.2, 0.8])
    chosen, _ = choose(scores, np.array([0, 0, 0, 4, 4, 7]), 2)
    assert chosen.tolist() == [False, True, True, True, True, True]
    assert choose(np.zeros(0), np.zeros(0, dtype=int), 1)[0].shape == (0,)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_choice_stays_while_scores_change_by_less_than_half_of_the_distance(count):
    rng = np.random.default_rng(count)
    groups = np.zeros(6, dtype=int)
    changed_beyond = 0
    for _ in range(100):
        scores = rng.integers(0, 5, size=6) * TIE + rng.normal(scale=TIE / 2, size=6)
        chosen, distance = choose(scores, groups, count)
        assert set(np.flatnonzero(chosen)) == slow_choice(scores, count)
        smallest = distance.min()
        for change in rng.choice([-1.0, 1.0], size=(10, 6)):
            within, _ = choose(scores + 0.499 * smallest * change, groups, count)
            assert (within == chosen).all()
            changed_beyond += (choose(scores + 2 * smallest * change, groups, count)[0] != chosen).any()
    assert changed_beyond > 50  # control: larger changes do change choices


def test_there_is_no_distance_without_a_choice():
    assert np.isposinf(choose(np.array([0.2, 0.9]), np.array([0, 0]), 2)[1]).all()
    assert np.isposinf(choose(np.array([0.2, 0.9]), np.array([0, 1]), 1)[1]).all()
