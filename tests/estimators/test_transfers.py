"""Transfers: a call is launched before the losses of the one before are read, and that changes no number."""

from importlib import import_module

import numpy as np
import pytest
import torch

from estimators import Job, ModelError, estimator, evaluate, make_targets, transfers
from tests.support.toys import ArbitraryLosses

EVALUATE = import_module("estimators.evaluate")  # estimators.evaluate is the function, too


def jobs():
    sampler = estimator("uniform-count")
    for index, target in enumerate(make_targets([[0, 1, 2, 3]] * 6)):
        yield Job(target, sampler.plan(4, 8, 2, np.random.default_rng(index)))


class Recorder(ArbitraryLosses):
    def __init__(self, events, broken_at=-1):
        super().__init__(4)
        self.events, self.broken_at = events, broken_at

    def token_nll(self, tokens, masked):
        self.events.append("launched")
        losses = super().token_nll(tokens, masked)
        return losses * torch.nan if len(self.calls) == self.broken_at else losses


@pytest.fixture
def events(monkeypatch):
    """Let evaluate run on the CPU as on CUDA, one call ahead."""
    seen = []

    def to_host(losses):
        wait = transfers.to_host(losses)
        return lambda: (seen.append("read"), wait())[1]

    monkeypatch.setattr(EVALUATE, "calls_ahead", lambda device: 1)
    monkeypatch.setattr(EVALUATE, "to_host", to_host)
    return seen


def test_a_call_is_launched_before_the_one_before_is_read(events):
    expected = [one.losses for one in evaluate(ArbitraryLosses(4), jobs(), batch_size=500)]
    events.clear()
    found = [one.losses for one in evaluate(Recorder(events), jobs(), batch_size=8)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    calls = events.count("launched")
    assert calls == events.count("read") > 4
    assert events == ["launched", *["launched", "read"] * (calls - 1), "read"]


def test_a_failure_that_is_read_late_names_its_sequence(events):
    with pytest.raises(ModelError, match="sequence 0, position"):
        list(evaluate(Recorder(events, broken_at=1), jobs(), batch_size=8))
    assert events == ["launched", "launched", "read"]


def test_control_on_a_cpu_nothing_is_ahead():
    assert transfers.calls_ahead(torch.device("cpu")) == transfers.calls_ahead(torch.device("mps")) == 0
    assert transfers.calls_ahead(torch.device("cuda", 1)) == 1


class OnCuda:
    """As much of a tensor on a CUDA device as a transfer needs."""

    def __init__(self, values, events):
        self.values, self.events = values, events
        self.device, self.shape, self.dtype = torch.device("cuda", 0), values.shape, values.dtype

    def to(self, dtype):
        self.events.append(f"to {dtype}")
        return OnCuda(self.values.to(dtype), self.events)


def test_losses_are_copied_beside_the_next_call_and_waited_for_when_they_are_read(monkeypatch):
    events = []

    class Pinned:
        def copy_(self, source, *, non_blocking):
            events.append(f"copy, waiting: {not non_blocking}")
            self.values = source.values

        def numpy(self):
            return self.values.numpy()

    class Event:
        def record(self, stream):
            events.append(f"record on {stream}")

        def synchronize(self):
            events.append("wait")

    monkeypatch.setattr(torch, "empty", lambda shape, *, dtype, pin_memory: Pinned())
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    wait = transfers.to_host(OnCuda(torch.tensor([0.5, 2.0]), events))
    assert events == ["to torch.float64", "copy, waiting: False", "record on the stream of cuda:0"]
    np.testing.assert_array_equal(wait(), [0.5, 2.0])
    assert events[3:] == ["wait"]
