"""The steps in CONTRIBUTING.md work: a new design takes a few lines, and a new kind of study is one value."""

import tomllib
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import infodis_stats as ids
from estimators import Cell, registry
from infodis_stats.cli import main
from infodis_stats.execution import Section
from infodis_stats.report.document import Answer, Document, Heading, Table
from infodis_stats.studies import kinds
from infodis_stats.studies.design.result import Result
from infodis_stats.studies.design.spec import StudySpec
from infodis_stats.studies.design.target_schema import Scored
from infodis_stats.studies.design.target_sets import items_of, make_groups
from infodis_stats.studies.kind import StudyKind


@dataclass(frozen=True)
class Weyl:
    """Levels a golden section apart, with a random start; independent keys."""

    name: ClassVar[str] = "weyl"
    summary: ClassVar[str] = "levels a golden section apart, from a random start; independent keys"
    dependence: ClassVar[str] = "other"
    balanced: ClassVar[bool] = False

    def points(self, dimension, passes, rng):
        points = rng.random((dimension, passes)).T
        points[:, 0] = (points[0, 0] + np.arange(passes) * (5**0.5 - 1) / 2) % 1.0
        return points


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(registry.DESIGNS, Weyl.name, Weyl())


def test_a_new_design_is_registered_and_unbiased(registered):
    name = "uniform-count+weyl"
    assert name in ids.estimator_names()
    assert ids.estimator(name).name == name
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    tokens = law.sample(1, length=6, seed=1)
    draws = ids.estimator(name).sample(law, tokens, passes=4, replicates=4000, rng=0)[0]
    assert abs(draws.mean() - law.nll(tokens)[0]) < 4 * draws.std() / np.sqrt(len(draws))
    result = ids.estimate_nll(law, tokens, name, passes=8)
    assert result["interval"].item() == "design-hall"
    assert result["degrees"].item() == 7  # of 8 replicates: its passes do not estimate their error


def test_control_without_registration_it_is_unknown(registered, monkeypatch):
    monkeypatch.delitem(registry.DESIGNS, Weyl.name)
    with pytest.raises(ids.InputError, match="there is no estimator"):
        ids.estimator("uniform-count+weyl")


class CheckSpec(StudySpec, Scored):
    """One estimator against the exact values of a law."""

    kind: Literal["check"]
    estimator: str

    def scenarios(self):
        return [self.scenario]


def check(subjects, spec):
    (subject,) = subjects
    groups = make_groups(subject, spec)
    cells = [Cell(ids.estimator(spec.estimator), item, 8, 16) for item in items_of(groups)]
    (drawn,) = yield [
        Section(
            "draws", subject.model, cells, spec.seed, {"estimate": (16,)}, lambda draw: {"estimate": draw.estimates}
        )
    ]
    summary = xr.Dataset(
        {
            "error": ("item", drawn["estimate"].mean(axis=1) - np.concatenate([group.exact for group in groups])),
            "error_se": ("item", drawn["estimate"].std(axis=1, ddof=1) / 4),
        }
    )
    return Result({"summary": summary}, forward_passes=128 * len(cells), not_run=[], attributes={})


def check_verdicts(study):
    far = np.abs(study.summary["error"]) > 5 * study.summary["error_se"]
    word = "caution" if far.any() else "fine"
    return [ids.Verdict("exact values", word, f"{int(far.sum())} of {far.size} targets are far from their exact value")]


def check_document(study):
    frame = pd.DataFrame({"error (nats)": [f"{error:.3f}" for error in study.summary["error"].values]})
    sections = [Answer((f"The mean error is {float(study.summary['error'].mean()):.3f} nats.",)), Heading("Errors")]
    return Document(study.attrs["title"], "", [*sections, Table(frame, headline="Errors")], {"errors": frame})


STUDY = """\
kind = "check"
title = "A kind of <b>tomorrow</b>"
seed = 1
estimator = "uniform-count"
law = { kind = "markov-chain", order = 1, alphabet = "ACGT", seed = 5 }
targets = [{ name = "short", count = 3, length = 6 }]
"""
CHECK = StudyKind("check", CheckSpec, check, check_verdicts, check_document, tomllib.loads(STUDY))


@pytest.fixture
def check_file(monkeypatch, tmp_path):
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, CHECK))
    (tmp_path / "check.toml").write_text(STUDY)
    return tmp_path / "check.toml"


def test_a_new_kind_of_study_is_run_diagnosed_and_reported(check_file, tmp_path):
    tree = ids.run_study(check_file)
    assert tree.attrs["kind"] == "check"
    assert [verdict.check for verdict in ids.diagnose(tree).verdicts] == ["exact values"]
    assert ids.diagnose(tree).verdict == "fine"
    page = ids.write_report(tree, tmp_path / "out").read_text()
    for part in ("A kind of &lt;b&gt;tomorrow", "exact values", "The mean error is", ">Errors</h2>", "Provenance"):
        assert part in page
    assert len(pd.read_csv(tmp_path / "out" / "tables" / "errors.csv")) == 3
    assert "## Errors" in (tmp_path / "out" / "report.md").read_text()


def test_the_command_line_knows_a_new_kind(check_file, tmp_path, capsys):
    assert main(["study", str(check_file), "--out", str(tmp_path / "out")]) == 0
    assert "The mean error is" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "out"), "--out", str(tmp_path / "again")]) == 0


def test_control_without_registration_the_kind_is_unknown(check_file, monkeypatch):
    monkeypatch.setattr(kinds, "KINDS", kinds.KINDS[:-1])
    with pytest.raises(ids.InputError, match="kind must be 'comparison', "):
        ids.run_study(check_file)
