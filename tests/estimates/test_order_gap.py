"""The order gap agrees with all orders enumerated; laws have none, and that of a network is detected."""

from itertools import permutations

import numpy as np
import pytest
import torch

import infodis_stats as ids
from tests.support.toys import ArbitraryLosses, slow_nll

LENGTH = 4
TOKENS = np.zeros((1, LENGTH), dtype=np.int64)


class Float32:
    """A law in single precision, like a perfect network."""

    def __init__(self, law):
        self.law = law

    def token_nll(self, tokens, masked):
        return self.law.token_nll(tokens, masked).to(torch.float32)


def all_orders(model):
    """Return the likelihood by the chain rule in every order."""
    values = []
    for order in permutations(range(LENGTH)):
        masked, total = torch.ones(1, LENGTH, dtype=torch.bool), 0.0
        for place in order:
            total += float(model.token_nll(torch.from_numpy(TOKENS), masked)[0, place])
            masked[0, place] = False
        values.append(total)
    return np.array(values)


def laws():
    chain = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
    table = ids.TableLaw(["AABB", "ABAB", "BBBB"], [0.5, 0.25, 0.25])
    hidden = ids.HiddenMarkov.random(states=3, alphabet="ACGT", seed=1)
    return [
        (chain, chain.sample(3, length=10, seed=1)),
        (table, table.sample(3, seed=1)),
        (hidden, hidden.sample(3, length=10, seed=1)),
    ]


def test_the_gap_agrees_with_all_orders():
    model = ArbitraryLosses(LENGTH, seed=3)
    every = all_orders(model)
    exact = every.mean() + np.log(np.exp(-every).mean())
    (target,) = ids.make_targets(TOKENS)
    assert every.mean() == pytest.approx(slow_nll(model, target))
    found = ids.order_gap(model, TOKENS, orders=4000, seed=1)
    # Within four standard errors; the same standard errors reject zero and the gap from the spread alone.
    error = float(found["order_gap_se"][0])
    assert abs(float(found["order_gap"][0]) - exact) < 4 * error
    assert exact > 20 * error
    assert abs(every.var() / 2 - exact) > 4 * error
    assert set(np.round(found["order_nll"].values[0], 9)) == set(np.round(every, 9))
    assert found["one_law"].item() == 0


@pytest.mark.parametrize("number", range(3))
def test_a_law_has_no_gap(number):
    law, tokens = laws()[number]
    found = ids.order_gap(law, tokens, orders=8, context=2)
    np.testing.assert_array_equal(found["order_gap"], 0)
    np.testing.assert_array_equal(found["order_gap_ci"], 0)
    assert found["one_law"].values.all()
    np.testing.assert_allclose(found["order_nll"], law.nll(tokens, context=2)[:, None].repeat(8, axis=1), rtol=1e-10)


def test_single_precision_rounding_is_within_the_default_tolerance_only():
    law, tokens = laws()[0]
    single = Float32(law)
    assert ids.order_gap(single, tokens, orders=8)["one_law"].values.all()
    assert not ids.order_gap(single, tokens, orders=8, tolerance=1e-9)["one_law"].values.any()


def test_the_gap_of_the_bundled_network_is_detected_beyond_rounding():
    model = ids.load_model("austen")
    tokens = model.encode("a fine day")[None]
    found = ids.order_gap(model, tokens, orders=16)
    assert found["one_law"].item() == 0
    assert found["order_sd"].item() > 0.1
    assert found["order_gap_ci"].values[0, 0] > 0
    assert found.attrs["mean_order_gap_ci"][0] == pytest.approx(found["order_gap_ci"].values[0, 0])
    again = ids.order_gap(model, tokens, orders=16, batch_size=3)
    largest = np.abs(again["order_nll"] - found["order_nll"]).max().item()
    assert largest < 0.1 * found.attrs["tolerance"] * tokens.size


def test_the_cost_is_one_pass_per_position_and_order():
    law, _ = laws()[0]
    tokens = [law.sample(1, length=length, seed=1)[0] for length in (5, 9)]
    found = ids.order_gap(law, tokens, orders=3, names=["short", "long"])
    assert found["sequence"].values.tolist() == ["short", "long"]
    assert (found["forward_passes"].values <= 3 * np.array([5, 9])).all()
    assert found.attrs["passes"] == 9
    assert "units" in found["order_gap"].attrs


@pytest.mark.parametrize("asked", [{"orders": 2}, {"tolerance": 0.0}, {"level": 95}])
def test_bad_input_is_rejected(asked):
    law, tokens = laws()[0]
    with pytest.raises(ids.InputError):
        ids.order_gap(law, tokens, **asked)
