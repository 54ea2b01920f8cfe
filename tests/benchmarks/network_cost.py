"""Estimates with networks: against their bare forward passes, against a plain loop, accelerated; memory of the head."""

import statistics
import warnings
from collections.abc import Iterable

import numpy as np
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig
from tests.benchmarks.head_memory import proc
from tests.benchmarks.measure import Row, cost, in_new_process, once

SECTION = "Networks"
MIB_OF_FULL_LOGITS = 3_000


def network(vocabulary, **shape):
    torch.manual_seed(0)
    return Denoiser(DenoiserConfig("".join(map(chr, range(70_000, 70_000 + vocabulary))), **shape)).eval()


def five_million():
    return network(100, length=128, layers=6, width=256)


def rows_of(model, count, length):
    return np.random.default_rng(0).integers(0, len(model.config.alphabet), size=(count, length))


class Recording:
    """A model that records its batches."""

    def __init__(self, model):
        self.model, self.batches = model, []

    def token_nll(self, tokens, masked):
        self.batches.append((tokens, masked))
        return self.model.token_nll(tokens, masked)


def against_bare_passes() -> Iterable[Row]:
    """A network of 5 million parameters: the same rows in the same batches, with and without the estimation around."""
    model = five_million()
    tokens, recorder = rows_of(model, 2, 128), Recording(model)

    def estimate(of):
        ids.estimate_nll(of, tokens, passes=16, replicates=2)

    @torch.no_grad()
    def bare():
        for batch in recorder.batches:
            model.head(model.hidden(*batch))

    estimate(recorder)
    shares = [once(bare) / once(lambda: estimate(model)) for _ in range(3)]
    yield Row(
        SECTION,
        "throughput of `estimate_nll`, 5 million parameters, bare passes = 1",
        statistics.median(shares),
        "ratio",
    )


def large_head() -> Iterable[Row]:
    """2 rows of 1,024 tokens, vocabulary of 126,464: a few masked positions at a time, against all at once."""
    lean, cell = in_new_process("head_memory", "lean"), "head of 126,464 words, 2 rows of 1,024"
    yield Row(SECTION, f"{cell}, a few positions at a time: peak", lean["MiB"], "MiB")
    yield Row(SECTION, f"{cell}, a few positions at a time", lean["seconds"])
    if proc("meminfo", "MemAvailable") > MIB_OF_FULL_LOGITS:
        full = in_new_process("head_memory", "full")
        assert abs(full["sum"] / lean["sum"] - 1) < 1e-5
        yield Row(SECTION, f"{cell}, all at once: peak", full["MiB"], "MiB")
        yield Row(SECTION, f"{cell}, all at once", full["seconds"])


@torch.no_grad()
def plain_loop_nll(model, tokens, scored, estimator, *, draws, generator):
    """The usual script: one draw at a time, log-probabilities at all positions, of which the masked ones are used."""
    chances = 1 / torch.arange(1, scored + 1) if estimator == "time-free" else torch.ones(scored)
    total = 0.0
    for _ in range(draws):
        count = int(torch.multinomial(chances, 1, generator=generator)) + 1
        masked = torch.zeros(len(tokens), dtype=torch.bool)
        masked[len(tokens) - scored + torch.randperm(scored, generator=generator)[:count]] = True
        logs = model.head(model.hidden(tokens[None], masked[None]))[0].float().log_softmax(dim=-1)
        loss = -logs.gather(-1, tokens[:, None])[:, 0][masked].sum().item()
        total += float(chances.sum()) * loss if estimator == "time-free" else loss * scored / count
    return total / draws


def against_a_plain_loop() -> Iterable[Row]:
    """The last tokens of a sequence given the others. Planned passes equal draws; a repeated mask is not run again."""
    draws, loop_draws = 32, 2
    for vocabulary, length, scored in (
        ("austen", 16, 16),
        ("austen", 128, 128),
        (32_000, 128, 128),
        (32_000, 128, 16),
        (126_464, 128, 128),
        (126_464, 128, 16),
    ):
        known = vocabulary == "austen"
        model = ids.load_model("austen") if known else network(vocabulary, length=128, layers=4, width=256)
        tokens, generator = rows_of(model, 1, length), torch.Generator().manual_seed(0)
        row = torch.from_numpy(tokens[0])
        words = "austen" if known else f"{vocabulary:,} words"
        for name in ("time-free", "uniform-count"):
            results = []

            def estimate():
                results.append(
                    ids.estimate_nll(model, tokens, name, context=length - scored, passes=draws // 2, replicates=2)
                )

            loop = cost(lambda: plain_loop_nll(model, row, scored, name, draws=loop_draws, generator=generator))
            seconds, loop = cost(estimate), loop / loop_draws
            cell = f"{words}, the last {scored} of {length} tokens, {name}"
            yield Row(SECTION, f"planned passes per second, plain loop = 1: {cell}", draws / seconds * loop, "ratio")
            run = results[0]["forward_passes"].item()
            yield Row(SECTION, f"rows per second, plain loop = 1: {cell}", run / seconds * loop, "ratio")


def accelerated() -> Iterable[Row]:
    """The network of 5 million parameters, accelerated: 16 rows of 128 tokens."""
    model = five_million()
    tokens = torch.from_numpy(rows_of(model, 16, 128))
    masked = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    for name, options in (("autocast to bfloat16", {"autocast": torch.bfloat16}), ("torch.compile", {"compile": True})):
        fast, gains = ids.accelerated(five_million(), **options), []
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", DeprecationWarning)
            for _ in range(7):
                plain = once(lambda: model.token_nll(tokens, masked))
                gains.append(plain / once(lambda: fast.token_nll(tokens, masked)))
        yield Row(SECTION, f"speed of {name}, plain = 1", statistics.median(gains[2:]), "ratio")
