"""Study verdicts: a known defect counts against the estimator, an unexpected one against the study."""

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.results.validity import CAUTIONS, caution_variable
from infodis_stats.studies import document_of, estimator_verdicts


def words(tree):
    return {one.check: one.verdict for one in ids.diagnose(tree).verdicts}


def estimators(tree):
    return {one.check: one.verdict for one in estimator_verdicts(tree).verdicts}


def changed(tree, variable, place, value, group="summary"):
    """Return a copy of the study with one number changed."""
    other = tree.copy(deep=True)
    part = other[group].to_dataset()
    part[variable].loc[place] = value
    other[group] = xr.DataTree(part)
    return other


def test_unsound_estimators_do_not_count_against_the_study(study):
    assert words(study) == {"bias": "fine", "coverage": "fine", "truth": "fine"}
    assert estimators(study) == {
        "time-integral": "do not use",
        "time-integral(eps=0.2)": "do not use",
        "time-free": "caution",  # few hard tokens in targets of length 3
        "uniform-count+stratified": "caution",
        "exhaustive": "fine",
    }


def test_a_bias_without_a_caution_counts_against_the_study(study):
    place = {"estimator": "time-free"}
    found = changed(study, "bias_p", place, 0.001)
    clean = changed(changed(study, "cautions", place, False), "bias_p", place, 0.001)
    assert words(clean)["bias"] == "caution"
    assert estimators(clean)["time-free"] == "caution"
    known = changed(found, "cautions", place | {"caution": "biased"}, True)
    assert words(known)["bias"] == "fine"
    assert estimators(known)["time-free"] == "do not use"


def test_only_short_intervals_count_against_the_study(study):
    place = {"estimator": "uniform-count+stratified", "interval": "student-t"}
    clean = changed(study, "cautions", {"estimator": "uniform-count+stratified"}, False)
    many = changed(clean, "intervals_pooled", place, 4000)
    suspect = changed(many, "coverage_p", place, 0.001)
    assert words(changed(suspect, "coverage", place, 0.8))["coverage"] == "caution"
    assert (
        words(changed(suspect, "coverage", place, 0.945))["coverage"] == "fine"
    )  # significantly short, but only by half a point
    assert words(changed(suspect, "coverage", place, 0.99))["coverage"] == "fine"


@pytest.mark.parametrize(("count", "verdict"), [(1, "caution"), (16, "caution"), (4000, "fine")])
def test_too_few_intervals_do_not_show_that_coverage_is_nominal(study, count, verdict):
    place = {"estimator": "uniform-count+stratified"}
    clean = changed(study, "cautions", place, False)
    few = changed(clean, "intervals_pooled", place | {"interval": "student-t"}, count)
    (found,) = [one for one in ids.diagnose(few).verdicts if one.check == "coverage"]
    assert found.verdict == verdict
    assert ("too few to judge: with" in found.reason) is (verdict == "caution")


def test_imprecise_reference_values_give_a_caution(study):
    rough = changed(study, "truth_se", {}, 0.5, group="truth")
    assert words(rough)["truth"] == "fine"
    uncounted = changed(rough, "intervals", {"passes": 4}, 0)
    assert words(uncounted)["truth"] == "caution"


def test_frontier_and_ratio_studies(frontier_study, ratio_study):
    assert set(words(frontier_study)) == {"bias", "winners"}
    assert estimators(frontier_study) == {"time-integral": "do not use"}  # no intervals are measured for the others
    assert set(words(ratio_study)) == {"bias", "coverage", "truth"}


def test_corpora_studies():
    def corpora(share, texts, cautions=(), failed="{}"):
        summary = xr.Dataset({"mask_share": ("corpus", [share, 0.1]), "texts": ("corpus", [texts, 40])})
        summary["cautions"] = caution_variable([], [cautions], [])
        provenance = xr.Dataset(attrs={"failed": failed})
        tree = xr.DataTree.from_dict({"summary": summary, "provenance": provenance})
        tree.attrs = {"kind": "corpora"}
        return tree

    assert set(words(corpora(0.1, 40)).values()) == {"fine"}
    assert words(corpora(0.7, 40))["mask noise"] == "caution"
    assert words(corpora(0.1, 4))["texts"] == "caution"
    assert words(corpora(0.1, 40, failed='{"all/3": "position 2: NaN"}'))["failed"] == "caution"
    assert ids.diagnose(corpora(0.1, 40, [CAUTIONS["infinite-variance"]])).verdict == "do not use"
    assert estimator_verdicts(corpora(0.1, 40)).verdicts == ()


def test_a_kind_without_checks_has_no_verdicts(study):
    other = study.copy()
    other.attrs["kind"] = "of tomorrow"
    assert ids.diagnose(other).verdicts == estimator_verdicts(other).verdicts == ()


@pytest.mark.parametrize("kind", ["", "ratio_", "frontier_"])
def test_every_report_opens_with_its_verdict(request, kind):
    tree, report = (request.getfixturevalue(f"{kind}{name}") for name in ("study", "document"))
    page, text = render_html(report), render_markdown(report)
    word = ids.diagnose(tree).verdict
    assert page.index(f"<strong>{word}</strong>") < page.index('<section class="answer">')
    assert text.splitlines()[4].startswith(f"**{word}**")
    for one in estimator_verdicts(tree).verdicts:
        assert one.check in page[: page.index('<section class="answer">')]


def test_the_report_of_a_bad_study_opens_with_a_warning(study):
    place = {"estimator": "time-free"}
    bad = changed(changed(study, "cautions", place, False), "bias_p", place, 0.001)
    page = render_html(document_of(bad))
    assert "Read this report with care" in page
    assert "No problems found." not in page
    assert np.isfinite(study["summary"]["bias_p"].values).any()
