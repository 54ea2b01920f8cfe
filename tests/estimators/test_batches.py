"""Batches fit into memory: no row is lost, no number changes, and nothing is counted twice."""

import numpy as np
import pytest
import torch

from estimators import InputError, Job, ModelError, TokenError, batches, estimator, evaluate, make_targets
from estimators.batches import CudaMemory, tokens_that_fit
from tests.support.toys import ArbitraryLosses

TOKENS = [[0, 1, 2, 3, 1], [1, 1, 1], [2, 2, 2, 2, 2], [0, 1, 0], [3, 3, 3, 3, 3]]


def jobs_for(tokens, passes=8, replicates=4):
    sampler = estimator("time-integral")
    for index, target in enumerate(make_targets(tokens)):
        yield Job(target, sampler.plan(target.length, passes, replicates, np.random.default_rng(index)))


class Device:
    """A device with ``size`` bytes; a call that needs more fails. A row's bytes may grow with its length."""

    def __init__(self, size, row_bytes):
        self.size, self.row_bytes = size, row_bytes
        self.peak = self.released = self.watched = 0

    def run(self, rows, length):
        self.peak = rows * self.row_bytes(length)
        if self.peak > self.size:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    def free(self):
        return self.size

    def watch(self):
        self.peak, self.watched = 0, self.watched + 1

    def taken(self):
        return self.peak

    def release(self):
        self.released += 1


class OnDevice:
    """A model on that device; it records the shapes of all batches requested and of those completed."""

    def __init__(self, device):
        self.device, self.inner, self.asked, self.priced = device, ArbitraryLosses(5), [], []

    def token_nll(self, tokens, masked):
        self.asked.append(tokens.shape)
        self.device.run(*tokens.shape)
        self.priced.append(tokens.shape)
        return self.inner.token_nll(tokens, masked)


@pytest.mark.parametrize("most", [1, 2, 5, 15])
@pytest.mark.parametrize("batch_size", [16, 33, None])
def test_running_out_of_memory_halves_the_batch_and_changes_no_number(most, batch_size):
    expected = [one.losses for one in evaluate(ArbitraryLosses(5), jobs_for(TOKENS))]
    model, counts = OnDevice(Device(most, lambda length: 1)), []
    evaluations = list(evaluate(model, jobs_for(TOKENS), batch_size=batch_size, progress=counts.append))
    for one, losses in zip(evaluations, expected, strict=True):
        np.testing.assert_array_equal(one.losses, losses)
    assert sum(rows for rows, _ in model.priced) == sum(one.forward_passes for one in evaluations)
    assert sum(counts) == len(TOKENS) * 8 * 4
    # Each failure halves the following batches, so the number of failures is at most logarithmic.
    first = model.asked[0][0]
    assert 1 <= len(model.asked) - len(model.priced) <= np.ceil(np.log2(first))


def test_batches_after_a_failure_have_half_the_rows():
    model = OnDevice(Device(5, lambda length: 1))
    jobs = jobs_for([[0] * 5] * 3, passes=20)  # 31 masks each
    list(evaluate(model, jobs, batch_size=16))
    rows = [rows for rows, _ in model.asked]
    assert rows[:3] == [16, 8, 4]
    assert set(rows[3:]) <= {1, 2, 3, 4}
    assert rows.count(4) > 10


def test_a_row_that_does_not_fit_is_reported_in_one_sentence():
    with pytest.raises(ModelError, match=r"^one sequence of 5 tokens does not fit into the memory of cpu$"):
        list(evaluate(OnDevice(Device(0, lambda length: 1)), jobs_for(TOKENS)))


def test_an_unknown_token_error_names_the_sequence_in_any_part_of_a_batch():
    class Refuses(OnDevice):
        def token_nll(self, tokens, masked):
            result = super().token_nll(tokens, masked)
            wrong = torch.nonzero(tokens == 9)
            if len(wrong):
                raise TokenError(*wrong[0].tolist(), "token 9 is outside the alphabet")
            return result

    with pytest.raises(InputError, match="sequence 1, position 2: token 9 is outside"):
        list(evaluate(Refuses(Device(3, lambda length: 1)), jobs_for([[0, 1, 2], [0, 1, 9]])))


def test_cached_memory_is_released_only_on_cuda(monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    list(evaluate(OnDevice(Device(4, lambda length: 1)), jobs_for(TOKENS), batch_size=16))
    assert not emptied
    device = Device(20, lambda length: length)
    monkeypatch.setattr(batches, "memory_of", lambda _: device)
    model = OnDevice(device)
    list(evaluate(model, jobs_for(TOKENS), batch_size=16))
    assert device.released == len(model.asked) - len(model.priced) == 2
    assert device.watched == 0  # a given batch size is not measured
    CudaMemory(torch.device("cuda", 0)).release()
    assert emptied == [True]


def test_batches_fill_most_of_the_measured_memory(monkeypatch):
    """A row of 5 tokens takes 500 of 30,000 bytes, so 48 rows fill 80 %. The first call is a small trial."""
    device = Device(30_000, lambda length: 100 * length)
    monkeypatch.setattr(batches, "memory_of", lambda _: device)
    monkeypatch.setattr(batches, "TOKENS_ON_CPU", 20)
    model = OnDevice(device)
    evaluations = list(evaluate(model, jobs_for([[0, 1, 2, 3, 1]] * 20)))
    rows = [rows for rows, _ in model.asked]
    assert rows[:2] == [4, 48]
    assert set(rows[1:-1]) == {48}
    assert model.asked == model.priced
    assert device.released == 0
    assert sum(rows) == sum(one.forward_passes for one in evaluations)


def test_batches_of_a_length_that_needs_more_than_predicted_are_halved(monkeypatch):
    """Rows of 3 tokens take 27 bytes and rows of 5 tokens 625, not the 45 extrapolated from the former."""
    device = Device(10_000, lambda length: length**3 if length == 3 else length**4)
    monkeypatch.setattr(batches, "memory_of", lambda _: device)
    model = OnDevice(device)
    jobs = [*jobs_for([[0, 1, 2]] * 60), *jobs_for([[0, 1, 2, 3, 1]] * 60)]
    expected = [one.losses for one in evaluate(ArbitraryLosses(5), jobs, batch_size=7)]
    for one, losses in zip(evaluate(model, jobs), expected, strict=True):
        np.testing.assert_array_equal(one.losses, losses)
    assert device.released == len(model.asked) - len(model.priced) > 0
    assert max(rows for rows, length in model.priced if length == 5) <= 16
    assert sum(rows for rows, _ in model.priced) == sum(
        one.forward_passes for one in evaluate(ArbitraryLosses(5), jobs)
    )


@pytest.mark.parametrize(
    ("free", "bytes_per_token", "tokens"),
    [(1000, 8, 100), (1000, 0, 800), (7, 8, 1), (0, 8, 1), (10**15, 8, 2**18), (10**6, 0.5, 2**18)],
)
def test_tokens_that_fit(free, bytes_per_token, tokens):
    assert tokens_that_fit(free, bytes_per_token) == tokens


def test_free_cuda_memory_includes_what_torch_has_cached(monkeypatch):
    for name, value in (
        ("mem_get_info", (500, 2000)),
        ("memory_reserved", 900),
        ("memory_allocated", 600),
        ("max_memory_allocated", 850),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
    memory = CudaMemory(torch.device("cuda", 0))
    assert (memory.free(), memory.taken()) == (800, 250)
    assert batches.memory_of(torch.device("cuda", 1)) == CudaMemory(torch.device("cuda", 1))
    assert batches.memory_of(torch.device("cpu")) is None


def test_a_batch_on_a_cpu_has_a_few_thousand_tokens_per_thread(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    found = batches.Batches(None, torch.device("cpu"))
    assert (found.rows(128), found.rows(8), found.rows(10**6)) == (64, 1024, 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 100)
    assert batches.Batches(None, torch.device("cpu")).rows(128) == 256
    assert batches.Batches(9, torch.device("cpu")).rows(128) == 9
