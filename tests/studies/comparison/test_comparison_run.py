"""Comparison studies: the grid and its invariances, and a summary that agrees with its draws."""

import json

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats import analysis
from infodis_stats.execution import Columns
from infodis_stats.studies.comparison.run import _statistics
from infodis_stats.studies.comparison.summary import summarise
from infodis_stats.studies.design.reference_values import truth_dataset, truth_sections
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_sets import Group
from tests.support.small_studies import SMALL_STUDY


def rerun(tmp_path, old, new, **arguments):
    assert old in SMALL_STUDY
    path = tmp_path / "changed.toml"
    path.write_text(SMALL_STUDY.replace(old, new))
    return ids.run_study(path, **arguments)["draws"].to_dataset()


def profiled(law, group, samplers):
    subject = Subject(law, None)
    sections = truth_sections(subject, [group], samplers, passes=64, seed=0)
    found = [Columns.of(one, ids.draw(one.model, one.cells, one.seed)) for one in sections]
    return truth_dataset(subject, [group], samplers, found)


def test_draws_match_the_estimators(study):
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
    tokens = law.sample(4, length=7, seed=1)
    draws = study["draws"].to_dataset()
    expected = ids.estimator("time-free").sample(
        law, tokens, passes=8, replicates=32, rng=np.random.SeedSequence(3), context=2
    )
    found = draws["estimate"].sel(estimator="time-free", passes=8).isel(item=draws["group"] == "short")
    np.testing.assert_array_equal(found, expected)
    truth = study["truth"].to_dataset()
    np.testing.assert_array_equal(truth["truth"][truth["group"] == "short"], law.nll(tokens, context=2))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"time-integral", "time-integral(eps=0.2)", ', ""),
        ("passes = [4, 8, 31]", "passes = [8]"),
        ('[[targets]]\nname = "short"\ncount = 4', '[[targets]]\nname = "short"\ncount = 2'),
    ],
)
def test_a_subset_of_a_study_has_the_same_numbers(study, tmp_path, old, new):
    whole = study["draws"].to_dataset()
    part = rerun(tmp_path, old, new)
    chosen = whole["estimate"].sel(estimator=part["estimator"], passes=part["passes"], item=part["item"])
    np.testing.assert_array_equal(part["estimate"], chosen)


def test_batches_and_the_order_of_groups_change_no_number(study, tmp_path):
    whole = study["draws"].to_dataset()
    for batch_size, passes in ((1, "[8]"), (37, "[4, 8, 31]"), (5000, "[4, 8, 31]")):
        again = rerun(tmp_path, "passes = [4, 8, 31]", f"passes = {passes}", batch_size=batch_size)
        same = whole["estimate"].sel(estimator=again["estimator"], passes=again["passes"])
        np.testing.assert_array_equal(again["estimate"], same)
    head, first, second = SMALL_STUDY.partition("[[targets]]")[0], *SMALL_STUDY.split("[[targets]]")[1:]
    path = tmp_path / "swapped.toml"
    path.write_text(f"{head}[[targets]]{second}\n[[targets]]{first}")
    swapped = ids.run_study(path)["draws"].to_dataset()
    np.testing.assert_array_equal(swapped["estimate"].sel(item=whole["item"]), whole["estimate"])


def test_another_seed_gives_different_numbers(study, tmp_path):
    other = rerun(tmp_path, "seed = 3", "seed = 4")
    random = [name for name in other["estimator"].values if name != "exhaustive"]
    changed = other["estimate"] != study["draws"].to_dataset()["estimate"]
    assert changed.sel(estimator=random).mean() > 0.9


def test_cells_that_cannot_run_are_left_out_and_reported(study):
    draws = study["draws"].to_dataset()
    short = draws["estimate"].sel(estimator="exhaustive").isel(item=draws["group"] == "short")
    assert short.sel(passes=[4, 8]).isnull().all()
    assert short.sel(passes=31).notnull().all()
    assert json.loads(study["provenance"].attrs["not_run"]) == [
        "exhaustive needs 31 passes for 5 scored positions, got 4",
        "exhaustive needs 31 passes for 5 scored positions, got 8",
        "exhaustive needs 7 passes for 3 scored positions, got 4",
    ]


def test_exact_variances_agree_with_empirical_ones(study):
    """Averages over 4 and 3 targets of 32 replicates: the log of their ratio has an sd of about 0.25 or less."""
    summary = study["summary"].to_dataset().sel(estimator=["time-free", "time-integral(eps=0.2)"])
    gap = np.log(summary["variance"] / summary["exact_variance"])
    assert (np.abs(gap) < 1.0).all()
    assert abs(float(gap.mean())) < 0.25
    assert np.isinf(study["summary"].to_dataset()["exact_variance"].sel(estimator="time-integral")).all()
    assert study["summary"].to_dataset()["exact_variance"].sel(estimator="exhaustive").isnull().all()


def test_the_summary_agrees_with_the_draws(study):
    summary = study["summary"].to_dataset().sel(group="short", passes=8)
    draws = study["draws"].to_dataset()
    estimates = draws["estimate"].sel(passes=8).isel(item=draws["group"] == "short")
    truth = study["truth"].to_dataset()["truth"][:4]
    np.testing.assert_allclose(summary["variance"], estimates.var("replicate", ddof=1).mean("item"), rtol=1e-12)
    error = (estimates - truth).mean("replicate").mean("item")
    np.testing.assert_allclose(summary["bias"], error, atol=1e-12)
    ratio = summary["variance"].sel(estimator="time-free") / summary["variance"]
    np.testing.assert_allclose(summary["efficiency"], ratio, rtol=1e-12)
    assert summary["efficiency_ci"].sel(estimator="time-free").values.tolist() == [1, 1]
    assert summary["intervals"].sel(estimator="time-free").values.tolist() == [16, 16]


def test_only_the_truncated_integral_is_biased(study):
    summary = study["summary"].to_dataset()
    found = (summary["bias_p"] < 0.05).any(["group", "passes"])
    assert found["estimator"][found].values.tolist() == ["time-integral(eps=0.2)"]


def test_cautions_are_listed_with_the_estimators(study):
    cautions = study["summary"].to_dataset()["cautions"].sel(group="short")
    assert cautions.sel(estimator="time-integral", caution="infinite-variance")
    assert cautions.sel(estimator="time-integral(eps=0.2)", caution="biased")
    assert not cautions.sel(estimator="exhaustive").any()


def test_near_deterministic_laws_are_flagged(tmp_path):
    path = tmp_path / "hard.toml"
    path.write_text(
        SMALL_STUDY.replace("order = 1", "order = 3\nconcentration = 0.02").replace("length = 7", "length = 20")
    )
    tree = ids.run_study(path)
    assert float(tree["truth"].to_dataset()["full_mask_ratio"].max()) > 4
    cautions = tree["summary"].to_dataset()["cautions"].sel(group="short", estimator="time-free")
    assert cautions.sel(caution="near-deterministic")


def test_few_hard_tokens_are_flagged(tmp_path):
    """One of six positions carries nearly all of the loss."""
    path = tmp_path / "hard.toml"
    sequences = ["AAAAAA", "CAAAAA", "GAAAAA"]
    path.write_text(
        SMALL_STUDY.partition("[law]")[0].replace("31]", "63]")
        + f'[law]\nkind = "table"\nalphabet = "ACG"\nsequences = {sequences}\nprobabilities = [0.98, 0.01, 0.01]\n'
        + '[[targets]]\nname = "one hard token"\nsequences = ["CAAAAA"]\n'
    )
    tree = ids.run_study(path)
    assert float(tree["truth"].to_dataset()["effective_positions"][0]) < 2
    cautions = tree["summary"].to_dataset()["cautions"].sel(group="one hard token")
    assert cautions.sel(estimator="uniform-count+stratified", caution="few-hard-tokens")


def test_variables_have_units_and_provenance_is_complete(study):
    for group in ("draws", "truth", "summary"):
        dataset = study[group].to_dataset()
        for name in dataset.data_vars:
            if name != "cautions":
                assert dataset[name].attrs["units"], name
    provenance = study["provenance"].attrs
    assert provenance["spec"] == SMALL_STUDY
    assert provenance["seed"] == 3
    assert provenance["forward_passes"] == int(np.nansum(study["draws"].to_dataset()["forward_passes"]))
    assert ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5).fingerprint() in provenance["model"]


def test_ratios_are_compared_with_exact_values(ratio_study):
    summary = ratio_study["summary"].to_dataset()
    assert summary["estimator"].values.tolist() == [
        "coupled time-free",
        "decoupled time-free",
        "coupled uniform-count",
        "decoupled uniform-count",
    ]
    assert (summary["bias_p"] > 0.05).all()
    near = summary["efficiency"].sel(group="one <b>substitution</b>", estimator="coupled uniform-count")
    assert (near > 2).all()


def test_table_laws_are_scored_over_their_support(tmp_path):
    path = tmp_path / "table.toml"
    path.write_text(
        SMALL_STUDY.partition("[law]")[0]
        + '[law]\nkind = "table"\nsequences = ["AC", "CA", "GT"]\nprobabilities = [0.5, 0.25, 0.25]\n'
        + '[[targets]]\nname = "all"\nsequences = "support"\n[[targets]]\nname = "one"\nsequences = ["GT"]\n'
    )
    truth = ids.run_study(path)["truth"].to_dataset()["truth"]
    np.testing.assert_allclose(np.exp(-truth), [0.5, 0.25, 0.25, 0.25])


def test_a_study_passes_its_settings_on(study, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(SMALL_STUDY.replace("replicates = 32", "replicates = 32\nlevel = 0.8\ninterval_replicates = 3"))
    tree = ids.run_study(path)
    summary = tree["summary"].to_dataset()
    expected = summarise(
        tree["draws"].to_dataset(),
        tree["truth"].to_dataset(),
        reference="time-free",
        level=0.8,
        interval_replicates=3,
        seed=3,
    )
    xr.testing.assert_identical(summary.drop_vars(["cautions", "caution"]), expected)
    few = {"caution": "few-replicates"}
    assert summary["cautions"].sel(few | {"group": "short", "estimator": "time-free"})
    assert not study["summary"].to_dataset()["cautions"].sel(few).any()


def test_cautions_and_cells_are_assigned_to_their_group(tmp_path):
    """Only the last of three groups has a hard token."""
    path = tmp_path / "three.toml"
    sequences = ["AAAAAA", "CAAAAA", "GCGCGC"]
    path.write_text(
        SMALL_STUDY.partition("[law]")[0].replace("passes = [4, 8, 31]", "passes = [8, 63]")
        + f'[law]\nkind = "table"\nalphabet = "ACG"\nsequences = {sequences}\nprobabilities = [0.98, 0.01, 0.01]\n'
        + '[[targets]]\nname = "even"\nsequences = ["GCGCGC", "GCGCGC"]\n'
        + '[[targets]]\nname = "one"\nsequences = ["GCGCGC"]\n'
        + '[[targets]]\nname = "hard"\nsequences = ["CAAAAA"]\n'
    )
    tree = ids.run_study(path)
    draws, truth = tree["draws"].to_dataset(), tree["truth"].to_dataset()
    exact = draws["estimate"].sel(estimator="exhaustive", passes=63)
    np.testing.assert_allclose(exact.mean("replicate"), truth["truth"], atol=1e-9)
    cautions = tree["summary"].to_dataset()["cautions"].sel(estimator="uniform-count+stratified")
    assert cautions.sel(caution="few-hard-tokens").values.tolist() == [False, False, True]


def test_a_pair_is_as_hard_as_its_harder_side():
    law = ids.TableLaw(["AAAAAA", "CAAAAA", "GCGCGC"], [0.98, 0.01, 0.01], "ACG")
    hard, even = law.encode(["CAAAAA", "GCGCGC"])
    samplers = [ids.Coupled(ids.estimator("time-free"))]

    def profile(items):
        group = Group("g", tuple(items), np.zeros(1))
        return profiled(law, group, samplers)

    single = {name: profile(ids.make_targets([row])) for name, row in (("hard", hard), ("even", even))}
    for first, second in ((hard, even), (even, hard)):
        both = profile(ids.make_pairs([first], [second]))
        for name, worse in (("effective_positions", min), ("full_mask_ratio", max)):
            expected = worse(one[name].item() for one in single.values())
            assert both[name].item() == pytest.approx(expected, rel=0.35)  # pilots have their own random streams
    assert single["hard"]["effective_positions"].item() < 0.5 * single["even"]["effective_positions"].item()


def test_exact_variances_exist_only_for_independent_points():
    law = ids.MarkovChain.random(order=1, alphabet="AC", seed=0)
    tokens = law.sample(1, length=5, seed=0)
    samplers = [ids.estimator(name) for name in ("time-free", "time-free+stratified", "exhaustive")]
    group = Group("g", tuple(ids.make_targets(tokens)), law.nll(tokens))
    found = profiled(law, group, samplers)["exact_pass_variance"].values[0]
    expected = ids.TimeFree().law(5).moments(ids.pass_totals(law, tokens))[1][0]
    assert found[0] == pytest.approx(expected)
    assert np.isnan(found[1:]).all()


def test_tails_of_pairs_are_computed_from_their_differences():
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    first, second = law.sample(1, length=8, seed=1), law.sample(1, length=8, seed=2)
    (pair,) = ids.make_pairs(first, second)
    (one,) = ids.draw(law, [ids.Cell(ids.Coupled(ids.estimator("time-free")), pair, 32, 8)], 0)
    terms = [side.terms for side in one.evaluations]
    assert _statistics(one)["khat"] == float(analysis.pareto_khat(np.abs(terms[1] - terms[0]).ravel()))
