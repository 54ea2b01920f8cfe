"""A comparison of several subjects: each has the estimators that suit its model, and they share groups."""

import json

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import Uniform
from infodis_stats.models import Denoiser, DenoiserConfig, UniformDenoiser
from infodis_stats.report.markdown import render_markdown
from infodis_stats.results.validity import held
from infodis_stats.studies import document_of
from infodis_stats.studies.comparison.run import compare_subjects

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
ONE = {
    "title": "Masks and noise",
    "seed": 3,
    "passes": [4, 16],
    "replicates": 16,
    "estimators": ["auto", "uniform-count", "uniform-count+stratified", "score-entropy(uniform,polynomial)+stratified"],
    "reference": "auto",
    "truth_passes": 4096,
}
SHARED = {"name": "shared", "count": 3, "length": 9, "seed": 1}
MASKS = {"name": "masks", "law": LAW, "targets": [SHARED, {"name": "own", "count": 2, "length": 4, "seed": 1}]}
NOISE = {"name": "noise", "law": LAW, "targets": [SHARED, {"name": "own", "count": 2, "length": 5, "seed": 1}]}


class Scores:
    """The law as a model that was made for uniform noise and prices no masked tokens."""

    noise = Uniform()
    vocabulary_size = LAW.vocabulary_size

    def log_ratios(self, noised, acts, total_noise, noise):
        return LAW.log_ratios(noised, acts, total_noise, noise)

    def fingerprint(self):
        return LAW.fingerprint()


class Masks:
    """The law as a network that prices masked tokens and has no score ratios."""

    def token_nll(self, tokens, masked):
        return LAW.token_nll(tokens, masked)

    def fingerprint(self):
        return LAW.fingerprint()


class Fair(Masks):
    """The masked network as a model of the user's own, which reads text."""

    longest = 32

    def encode(self, text):
        return LAW.encode([text])[0]

    def decode(self, tokens):
        return LAW.decode(tokens[None])[0]

    def describe(self):
        return "masks of a law"


@pytest.fixture(scope="module")
def both():
    """A network of masks that the study names, and a score model in memory, on the same sequences."""
    named = {"name": f"{__name__}:Fair"}
    return ids.run_study(ids.Spec(**ONE, subjects=[MASKS | {"model": named}, NOISE]), model=Scores(), allow_import=True)


def test_each_subject_has_the_estimators_that_suit_its_model(both):
    run = both["draws"]["forward_passes"].notnull().groupby("group").any().any("passes")
    names = ONE["estimators"]
    for subject, suited in (("masks", names[:3]), ("noise", [names[0], names[3]])):
        for group in ("shared", "own"):
            row = run.sel(group=f"{subject}/{group}")
            assert row["estimator"].values[row.values].tolist() == suited
    reasons = json.loads(both["provenance"].attrs["not_run"])
    assert "uniform-count needs the losses of masked tokens, Scores has none" in reasons
    assert f"{names[3]} needs score ratios, Fair has none" in reasons


def test_reference_values_of_a_score_model_agree_with_the_law(both):
    truth = both["truth"].to_dataset()
    noised = truth.isel(item=truth["group"].str.startswith("noise").values)
    z = (noised["truth"] - noised["law_value"]) / noised["truth_se"]
    assert np.abs(z).max() < 4
    assert (noised["truth_se"] > 0).all()
    np.testing.assert_allclose((noised["truth"] - noised["law_value"]).mean(), 0, atol=0.3)


def test_control_another_law_does_not_agree(both):
    truth = both["truth"].to_dataset()
    noised = truth.isel(item=truth["group"].str.startswith("noise").values)
    assert np.abs((noised["truth"] + 1 - noised["law_value"]) / noised["truth_se"]).max() > 4


def test_subjects_are_compared_on_the_groups_that_they_share(both):
    subjects = both["subjects"].to_dataset()
    assert subjects["shared"].values.tolist() == ["shared"]  # own differs
    assert subjects["items"].values.tolist() == [[3.0, 3.0]]
    truth = both["truth"].to_dataset()
    for name in ("masks", "noise"):
        values = truth["truth"].values[truth["group"].values == f"{name}/shared"]
        part = subjects.sel(shared="shared", subject=name)
        assert float(part["value"]) == pytest.approx(values.mean())
        assert float(part["bits"]) == pytest.approx(values.sum() / 27 / np.log(2))
    best = subjects["best"].sel(shared="shared", passes=16)
    assert best.sel(subject="masks").item() in ONE["estimators"][:3]
    assert best.sel(subject="noise").item() == ONE["estimators"][3]
    assert (subjects["lead"].sel(subject="masks") == 1).all()
    lead = subjects["lead_ci"].sel(shared="shared", subject="noise", passes=16)
    assert 0 < lead[0] < lead[1] < 1  # masks have less variance


def cautions(dataset, name, **where):
    """The keys of the cautions of an estimator."""
    return {caution.key for caution in held(dataset["cautions"].sel(estimator=name, **where))}


def test_auto_has_the_cautions_of_what_it_chose(both):
    summary, score_entropy = both["summary"].to_dataset(), ONE["estimators"][3]
    group = {"group": "noise/shared"}
    assert "little-noise" in cautions(summary, score_entropy, **group)
    assert cautions(summary, "auto", **group) == cautions(summary, score_entropy, **group)
    assert "little-noise" not in cautions(summary, "auto", group="masks/shared")  # it chose another there


def test_exact_estimates_have_no_caution_of_few_hard_tokens():
    keys = {"estimators": ["auto", "uniform-count", "chain"], "reference": "uniform-count"}
    targets = [{"name": "short", "count": 2, "length": 3}]
    summary = ids.run_study(ids.Spec(**(ONE | keys), law=LAW, targets=targets))["summary"].to_dataset()
    assert "few-hard-tokens" in cautions(summary, "uniform-count", group="short")
    for exact in ("auto", "chain"):
        assert (summary["mse"].sel(estimator=exact) < 1e-20).all()
        assert cautions(summary, exact, group="short") == set()


def test_estimates_of_equal_draws_have_the_ratio_1_exactly(both):
    summary = both["summary"].to_dataset().sel(group="noise/shared", estimator=ONE["estimators"][3])
    assert (summary["efficiency"] == 1).all()
    assert (summary["efficiency_ci"] == 1).all()
    masks = both["summary"].to_dataset().sel(group="masks/shared", estimator="uniform-count")
    assert (masks["efficiency_ci"].sel(ci_bound="lower") < masks["efficiency"]).all()


def test_values_per_position_are_left_out_where_positions_are_other_things(both):
    draws, truth = (both[name].to_dataset() for name in ("draws", "truth"))
    shared = {"shared": [("masks", "masks/shared"), ("noise", "noise/shared")]}
    samplers = [ids.estimator(name) for name in ONE["estimators"]]
    subwords = truth["length"].where(truth["group"] != "noise/shared", 4)
    found = compare_subjects(draws, truth.assign(length=subwords), shared, samplers)
    assert found["bits"].isnull().all()
    assert found["value"].notnull().all()
    assert compare_subjects(draws, truth, shared, samplers)["bits"].notnull().all()


def test_the_report_has_both_sides(both):
    document = document_of(both)
    text = render_markdown(document)
    assert "## Subjects against one another" in text
    assert "times less variance than noise (" in document.answer[0]
    assert "each estimate of its own model's value" in document.answer[0]
    assert "The values are of different models" in text
    assert "subjects" in document.tables
    of_noise = text.partition("### noise/shared")[2].partition("###")[0]
    assert "uniform-count" not in of_noise  # it has no row where it does not suit the model
    assert "score-entropy" in of_noise


def test_networks_of_both_kinds_score_pairs_of_texts(tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"first": "GATTACA", "second": "GATTAGA"}\n')
    torch.manual_seed(0)
    size = {"length": 8, "layers": 1, "width": 8, "heads": 2}
    Denoiser(DenoiserConfig("ACGT", **size)).save(tmp_path / "masks.safetensors")
    UniformDenoiser(DenoiserConfig("ACGT", **size, noise="uniform")).save(tmp_path / "noise.safetensors")
    pairs = [{"name": "pairs", "records": tmp_path / "pairs.jsonl"}]
    subjects = [
        {"name": name, "model": {"name": str(tmp_path / f"{name}.safetensors")}, "pairs": pairs}
        for name in ("masks", "noise")
    ]
    keys = {"passes": [8], "truth_passes": 64, "contrasts": ["coupled"], "reference": "coupled auto"}
    tree = ids.run_study(ids.Spec(**(ONE | keys), subjects=subjects))
    part = tree["subjects"].to_dataset().sel(shared="pairs", passes=8)
    assert part["best"].sel(subject="noise").item() == f"coupled {ONE['estimators'][3]}"  # which auto chooses, too
    assert part["lead"].notnull().all()
    assert part["bits"].isnull().all()
    assert "bits per position" not in render_markdown(document_of(tree))


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "frontier", "replicates": 6, "rivals": ONE["estimators"][2:]},
        {"kind": "calibration", "replicates": [2], "draws": 4, "levels": [0.9], "truth_passes": 16},
    ],
    ids=["frontier", "calibration"],
)
def test_frontiers_and_calibrations_take_models_of_both_kinds(keys):
    shared = {"title": "Both", "seed": 1, "passes": [4], "estimators": ONE["estimators"]}
    subjects = [MASKS | {"model": {"name": f"{__name__}:Fair"}}, NOISE]
    spec = ids.Spec(**shared, **keys, subjects=subjects)
    tree = ids.run_study(spec, model=Scores(), allow_import=True)
    run = (tree["draws"]["forward_passes"] if "draws" in tree else tree["counts"]["intervals"]) > 0
    for subject, suited in (("masks", [True, True, True, False]), ("noise", [True, False, False, True])):
        part = run.isel(item=run["group"].str.startswith(subject).values)
        found = part.any([name for name in part.dims if name != "estimator"])
        assert found.values.tolist() == suited
    document_of(tree)
    score_entropy, where = ONE["estimators"][3], {}
    if "group" in tree["summary"]["cautions"].dims:
        where["group"] = "noise/shared"
        assert cautions(tree["summary"], "auto", **where) == cautions(tree["summary"], score_entropy, **where)
    assert "little-noise" in cautions(tree["summary"], "auto", **where)


def test_a_single_subject_gives_the_numbers_of_a_study_without_subjects():
    keys = ONE | {"passes": [4], "estimators": ["auto", "uniform-count"]}
    alone = ids.run_study(ids.Spec(**keys, law=LAW, targets=[SHARED]))
    named = ids.run_study(ids.Spec(**keys, subjects=[{"name": "the law", "law": LAW, "targets": [SHARED]}]))
    np.testing.assert_array_equal(named["draws"]["estimate"], alone["draws"]["estimate"])
    assert named["draws"]["group"].values[0] == "the law/shared"
    assert "subjects" not in named.children


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"subjects": [MASKS], "law": LAW}, "a study with subjects names law in their tables"),
        ({"subjects": [MASKS, MASKS]}, "the names of subjects must differ"),
        ({"subjects": [MASKS, NOISE], "replicates": 4, "interval_replicates": 2}, "replicates must be at least 6"),
        ({"subjects": [MASKS | {"most_passes": 1}]}, "most_passes must be at least"),
        ({"subjects": [MASKS], "contrasts": ["coupled"], "reference": "coupled auto"}, "go together"),
        ({}, "give either"),
    ],
)
def test_wrong_subjects_are_refused(keys, words):
    with pytest.raises(ids.InputError, match=words):
        ids.Spec(**(ONE | keys))


def test_an_estimator_that_suits_no_subject_is_refused():
    spec = ids.Spec(**ONE, subjects=[{"name": "masks", "law": LAW, "targets": [SHARED]}])
    with pytest.raises(ids.InputError, match="needs score ratios, Masks has none"):
        ids.run_study(spec, model=Masks())
