"""Cost of an estimate with a network: overhead over its forward passes, memory, and comparison with a plain loop.

Times are CPU times: other work on the machine does not count.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig
from tests.benchmarks.head_memory import proc

MIB_OF_FULL_LOGITS = 10_000


def network(vocabulary, **shape):
    torch.manual_seed(0)
    return Denoiser(DenoiserConfig("".join(map(chr, range(70_000, 70_000 + vocabulary))), **shape)).eval()


def five_million():
    return network(100, length=128, layers=6, width=256)


def rows_of(model, count, length):
    return np.random.default_rng(0).integers(0, len(model.config.alphabet), size=(count, length))


def timed(function):
    started = time.process_time()
    function()
    return time.process_time() - started


class Recording:
    """A model that records its batches."""

    def __init__(self, model):
        self.model, self.batches = model, []

    def token_nll(self, tokens, masked):
        self.batches.append((tokens, masked))
        return self.model.token_nll(tokens, masked)


def test_estimates_against_bare_forward_passes(benchmark):
    """A network of 5 million parameters: the same rows in the same batches, with and without the estimation around."""
    model = five_million()
    tokens = rows_of(model, 4, 128)
    recorder, shares = Recording(model), []

    def estimate(of):
        ids.estimate_nll(of, tokens, passes=16, replicates=2)

    @torch.no_grad()
    def bare():
        for batch in recorder.batches:
            model.head(model.hidden(*batch))

    estimate(recorder)
    benchmark.pedantic(lambda: shares.append(timed(bare) / timed(lambda: estimate(model))), rounds=7, warmup_rounds=1)
    benchmark.extra_info["parameters"] = sum(weights.numel() for weights in model.parameters())
    benchmark.extra_info["throughput, bare passes = 1 (median)"] = float(np.median(shares))


def test_memory_and_time_of_a_large_head(benchmark):
    """8 rows of 1,024 tokens, vocabulary of 126,464: a few masked positions at a time, against all at once."""

    def measured(kind):
        script = Path(__file__).with_name("head_memory.py")
        done = subprocess.run([sys.executable, script, kind], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    lean = benchmark.pedantic(measured, args=("lean",), rounds=1)
    benchmark.extra_info.update({"MiB, lean": lean["MiB"], "seconds, lean": lean["seconds"]})
    if not proc("meminfo", "MemAvailable") > MIB_OF_FULL_LOGITS:
        benchmark.extra_info["MiB, full"] = f"not run: it needs {MIB_OF_FULL_LOGITS} MiB, which are not available"
        return
    full = measured("full")
    assert full["sum"] == pytest.approx(lean["sum"], rel=1e-5)
    benchmark.extra_info.update({"MiB, full": full["MiB"], "seconds, full": full["seconds"]})
    benchmark.extra_info["memory, full = 1"] = lean["MiB"] / full["MiB"]
    benchmark.extra_info["speed, full = 1"] = full["seconds"] / lean["seconds"]


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


@pytest.mark.parametrize("estimator", ["time-free", "uniform-count"])
@pytest.mark.parametrize(
    ("vocabulary", "length", "scored"),
    [
        ("austen", 16, 16),
        ("austen", 128, 128),
        (32_000, 128, 128),
        (32_000, 128, 16),
        (126_464, 128, 128),
        (126_464, 128, 16),
    ],
)
def test_against_a_plain_loop(benchmark, vocabulary, length, scored, estimator):
    """The last ``scored`` tokens of a sequence given the others: passes per second relative to the loop.

    Planned passes equal the loop's draws; a repeated mask is not run again.
    """
    draws, loop_draws, rounds = 64, 16, 3
    known = vocabulary == "austen"
    model = ids.load_model("austen") if known else network(vocabulary, length=128, layers=4, width=256)
    tokens, generator, planned, run_rows = rows_of(model, 1, length), torch.Generator().manual_seed(0), [], []
    row = torch.from_numpy(tokens[0])

    def run():
        started = time.process_time()
        result = ids.estimate_nll(
            model, tokens, estimator, context=length - scored, passes=draws // 2, replicates=2, seed=len(planned)
        )
        seconds = time.process_time() - started
        loop = (
            timed(lambda: plain_loop_nll(model, row, scored, estimator, draws=loop_draws, generator=generator))
            / loop_draws
        )
        planned.append(draws / seconds * loop)
        run_rows.append(result["forward_passes"].item() / seconds * loop)

    benchmark.pedantic(run, rounds=rounds)
    benchmark.extra_info["planned passes per second, loop = 1"] = float(np.median(planned))
    benchmark.extra_info["rows per second, loop = 1"] = float(np.median(run_rows))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("options", [{"autocast": torch.bfloat16}, {"compile": True}], ids=["bfloat16", "compiled"])
def test_accelerated(benchmark, options):
    """The network of 5 million parameters, accelerated: 16 rows of 128 tokens."""
    model, fast = five_million(), ids.accelerated(five_million(), **options)
    tokens = torch.from_numpy(rows_of(model, 16, 128))
    masked = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    gains = []

    @torch.no_grad()
    def run():
        plain = timed(lambda: model.token_nll(tokens, masked))
        gains.append(plain / timed(lambda: fast.token_nll(tokens, masked)))

    benchmark.pedantic(run, rounds=9, warmup_rounds=2)
    benchmark.extra_info["speed, plain = 1 (median)"] = float(np.median(gains[2:]))
