"""How much a law saves by computing the score ratios of all neighbours of a noised sequence in one pass."""

import time

import numpy as np
import torch

from estimators import Uniform
from infodis_stats.laws import MarkovChain


def noised_batch(law, size, length):
    """Sequences of the law, each with its own amount of uniform noise."""
    rng = np.random.default_rng(0)
    tokens, amounts = law.sample(size, length, seed=0), rng.exponential(size=size)
    noised = Uniform().drawn(tokens, amounts, rng.random(tokens.shape), law.vocabulary_size)
    return torch.from_numpy(noised), torch.ones(size, length, dtype=torch.bool), torch.from_numpy(amounts)


def by_neighbour(law, noised, amounts):
    """The same ratios by one forward-backward pass for each neighbour: differences of log evidence.

    All neighbours of a row form one batch, so the comparison is of passes, not of calls.
    """
    rows, length = noised.shape
    symbols = law.vocabulary_size
    kernel, ratios = Uniform().kernel(amounts, symbols), torch.empty(rows, length, symbols, dtype=torch.float64)
    places = torch.arange(length)
    for row in range(rows):
        neighbours = noised[row].expand(length, symbols, length).clone()
        neighbours[places, :, places] = torch.arange(symbols)
        log_evidence, _ = law.posterior(kernel[row][neighbours.reshape(-1, length)])
        own, _ = law.posterior(kernel[row][noised[[row]]])
        ratios[row] = log_evidence.reshape(length, symbols) - own
    return ratios


def test_all_neighbours_against_a_pass_for_each(benchmark):
    """Order 4 over ACGT, 32 tokens, 256 rows; the pass for each neighbour runs for some of the same rows."""
    law, plain_rows = MarkovChain.random(order=4, alphabet="ACGT", seed=0), 8
    noised, acts, amounts = noised_batch(law, 256, 32)
    ratios = benchmark(law.log_ratios, noised, acts, amounts, Uniform())

    start = time.perf_counter()
    expected = by_neighbour(law, noised[:plain_rows], amounts[:plain_rows])
    plain_rate = plain_rows / (time.perf_counter() - start)
    torch.testing.assert_close(ratios[:plain_rows], expected, rtol=1e-8, atol=1e-8)
    rate = len(noised) / benchmark.stats["median"]
    benchmark.extra_info.update(
        rows_per_second=round(rate), plain_rows_per_second=round(plain_rate, 1), ratio=round(rate / plain_rate)
    )
