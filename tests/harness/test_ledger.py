"""The ledger of finished questions: every digit survives, cut lines do not, and one run writes at a time."""

from dataclasses import fields

import numpy as np
import pytest

from estimators import make_targets
from infodis_stats import MarkovChain, StoreError
from infodis_stats.estimates.questions import Budget, Question
from infodis_stats.estimates.races import race
from infodis_stats.harness import ledger
from infodis_stats.harness.ledger import opened_ledger

LAW = MarkovChain.random(order=1, alphabet="ACGT", seed=0)


@pytest.fixture(scope="module")
def finish():
    targets = tuple(make_targets(LAW.encode(["ACGTACGTAC", "ACAAAAAAAA"]), 2))
    question = Question("which?", targets, {"acc": np.eye(2), "acc_norm": np.eye(2) / 3})
    (result,) = race(LAW, [question], budget=Budget(error=None, passes=9), estimator="regression")
    return result


def same(first, second):
    for field in fields(first):
        one, two = getattr(first, field.name), getattr(second, field.name)
        if field.name in (*ledger.OF_SCORES, "residuals"):
            parts = (one.values(), two.values()) if isinstance(one, dict) else (one, two)
            for each, other in zip(*parts, strict=True):
                np.testing.assert_array_equal(each, other)
        elif field.name == "cautions":
            assert one == two
        else:
            np.testing.assert_array_equal(one, two)


def test_a_second_run_finds_every_digit(tmp_path, finish):
    with opened_ledger(tmp_path) as first:
        first.put("a", finish)
    with opened_ledger(tmp_path, rank=1) as second:
        same(second.get("a"), finish)
        assert second.get("b") is None
        second.put("b", finish)
    with opened_ledger(tmp_path) as third:
        assert len(third) == 2


def test_a_line_that_was_cut_or_changed_is_not_read(tmp_path, finish):
    with opened_ledger(tmp_path) as first:
        for key in "abc":
            first.put(key, finish)
    (path,) = tmp_path.glob("*/questions-0.jsonl")
    text = path.read_text()
    lines = text.splitlines()
    path.write_text(lines[0] + "\n" + lines[1].replace('"b"', '"x"') + "\n" + lines[2][:-20])
    with opened_ledger(tmp_path) as second:
        assert second.get("a") is not None
        assert len(second) == 1
        second.put("d", finish)
    with opened_ledger(tmp_path) as third:
        assert third.get("d") is not None
        assert len(third) == 2


def test_other_versions_start_anew(tmp_path, finish, monkeypatch):
    with opened_ledger(tmp_path) as first:
        first.put("a", finish)
    monkeypatch.setattr(ledger, "versions", lambda: {"torch": "another"})
    with opened_ledger(tmp_path) as second:
        assert second.get("a") is None


def test_one_run_at_a_time(tmp_path):
    with (
        opened_ledger(tmp_path),
        pytest.raises(StoreError, match="another run is using"),
        opened_ledger(tmp_path),
    ):
        pass
