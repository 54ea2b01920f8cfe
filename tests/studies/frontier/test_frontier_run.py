"""Frontier studies: which estimator wins, by how much, and which are excluded."""

import json

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats import analysis
from infodis_stats.studies.frontier.run import summarise_frontier
from tests.support.small_studies import SMALL_FRONTIER

LENGTHS = {"law/8": 8, "law/16": 16, "law/64": 64, "law/65": 65, "other/32": 32}
ITEMS, REPLICATES = 3, 16


def made_up(spreads, seed=0):
    """Draw normal estimates around 50 nats, with one standard deviation per estimator in all groups."""
    rng = np.random.default_rng(seed)
    shape = (len(LENGTHS) * ITEMS, len(spreads), 2, REPLICATES)
    values = 50 + rng.normal(size=shape) * np.array(list(spreads.values()))[:, None, None]
    groups = np.repeat(list(LENGTHS), ITEMS)
    return xr.Dataset(
        {
            "estimate": (["item", "estimator", "passes", "replicate"], values),
            "truth": ("item", np.full(len(groups), 50.0)),
        },
        coords={
            "group": ("item", groups),
            "subject": ("item", [group.split("/")[0] for group in groups]),
            "length": ("item", np.repeat(list(LENGTHS.values()), ITEMS)),
            "estimator": list(spreads),
            "passes": [4, 8],
        },
    )


def candidates(draws, **roles):
    return {name: roles.get(name, "candidate") for name in draws["estimator"].values.tolist()}


def run(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return ids.run_study(path)


class TestSummary:
    def test_the_winner_has_the_least_variance(self):
        draws = made_up({"good": 1.0, "bad": 30.0, "middling": 5.0})
        summary, _ = summarise_frontier(draws, candidates(draws), ["bad"])
        assert (summary["winner"] == "good").all()
        assert (summary["tied"].sel(estimator=["bad", "middling"]) == 0).all()
        assert summary["tied"].sel(estimator="good").all()
        assert (summary["regret"].sel(estimator="good") == 1).all()
        cells = ("group", "estimator", "passes")
        ratio = summary["variance"].sel(estimator="bad") / summary["variance"]
        np.testing.assert_allclose(summary["gain"].sel(rival="bad"), ratio.transpose(*cells), rtol=1e-9)
        assert (summary["gain_ci"].sel(estimator="bad", rival="bad") == 1).all()
        assert summary["length"].values.tolist() == list(LENGTHS.values())

    def test_a_copy_named_auto_has_regret_one_and_never_wins(self):
        draws = made_up({"good": 1.0, "bad": 30.0, "auto": 1.0})
        draws["estimate"].loc[{"estimator": "auto"}] = draws["estimate"].sel(estimator="good").values
        summary, averages = summarise_frontier(draws, candidates(draws, auto="auto"), ["good", "bad"])
        assert (summary["winner"] == "good").all()
        assert not summary["tied"].sel(estimator="auto").any()
        assert (summary["regret"].sel(estimator="auto") == 1).all()
        assert (averages["mean_regret_ci"].sel(estimator="auto") == 1).all()
        assert (summary["gain_ci"].sel(estimator="auto", rival="good") == 1).all()
        draws["estimate"].loc[{"estimator": "auto"}] = draws["estimate"].sel(estimator="bad").values
        summary, _ = summarise_frontier(draws, candidates(draws, auto="auto"), ["bad"])
        regrets = summary["regret"].sel(estimator=["auto", "bad"])
        np.testing.assert_array_equal(regrets[:, 0], regrets[:, 1])
        assert (regrets > 100).all()

    def test_untrusted_estimators_never_win(self):
        draws = made_up({"untrusted": 0.1, "good": 1.0, "bad": 30.0})
        summary, _ = summarise_frontier(draws, candidates(draws, untrusted="untrusted"), ["bad"])
        assert (summary["winner"] == "good").all()
        assert (summary["regret"].sel(estimator="untrusted") < 0.1).all()
        assert (summarise_frontier(draws, candidates(draws), ["bad"])[0]["winner"] == "untrusted").all()

    def test_a_biased_constant_is_not_taken_for_exact(self):
        draws = made_up({"constant": 0.0, "good": 1.0, "bad": 30.0})
        summary, _ = summarise_frontier(draws, candidates(draws, constant="untrusted"), ["bad"])
        assert (summary["winner"] == "good").all()
        assert (summary["regret"].sel(estimator="constant") == 0).all()
        assert np.isfinite(summary["regret"].sel(estimator="bad")).all()
        assert not summary["exact"].any()
        draws["estimate"].loc[{"estimator": "constant"}] = 49.0
        summary, _ = summarise_frontier(draws, candidates(draws), ["bad"])
        assert (summary["winner"] == "good").all()  # it misses the exact value, so it is not exact
        assert not summary["exact"].any()

    def test_an_estimator_does_not_win_where_it_misses_the_exact_value(self):
        draws = made_up({"lucky": 0.1, "good": 1.0, "bad": 30.0})
        draws["estimate"].loc[{"estimator": "lucky", "item": draws["group"] == "law/8", "passes": 4}] += 2.0
        summary, _ = summarise_frontier(draws, candidates(draws), ["bad"])
        winners = summary["winner"].to_pandas()
        assert winners.loc["law/8", 4] == "good"
        assert (winners == "lucky").sum().sum() == 2 * len(LENGTHS) - 1
        draws["truth"][:] = np.nan
        summary, _ = summarise_frontier(draws, candidates(draws), ["bad"])
        assert (summary["winner"] == "lucky").all()
        assert summary["bias_p"].isnull().all()

    def test_exact_estimators_win_outright(self):
        draws = made_up({"exact": 0.0, "good": 1.0, "bad": 30.0})
        draws["estimate"].loc[{"estimator": "exact", "passes": 4}] = np.nan
        summary, averages = summarise_frontier(draws, candidates(draws), ["bad"])
        assert (summary["winner"].sel(passes=4) == "good").all()
        assert (summary["winner"].sel(passes=8) == "exact").all()
        assert summary["exact"].sel(estimator="exact").values.tolist() == [[False, True]] * len(LENGTHS)
        assert np.isposinf(summary["regret"].sel(passes=8, estimator=["good", "bad"])).all()
        assert (averages["regret_infinite"].sel(passes=8, estimator="bad") == averages["groups"]).all()
        assert averages["mean_regret"].sel(passes=8, estimator="bad").isnull().all()

    def test_averages_are_geometric_means_over_16_to_64_positions(self):
        draws = made_up({"good": 1.0, "bad": 30.0})
        summary, averages = summarise_frontier(draws, candidates(draws), ["bad"])
        assert averages["groups"].values.tolist() == [2, 1]
        inside = summary.isel(group=[1, 2])
        gain, regret = averages["mean_gain"].sel(subject="law", rival="bad"), averages["mean_regret"].sel(subject="law")
        np.testing.assert_allclose(gain, np.exp(np.log(inside["gain"].sel(rival="bad")).mean("group")), rtol=1e-9)
        np.testing.assert_allclose(regret, np.exp(np.log(inside["regret"]).mean("group")), rtol=1e-9)
        np.testing.assert_allclose(
            averages["mean_gain"].sel(subject="other"), summary["gain"].sel(group="other/32"), rtol=1e-9
        )
        logs = [
            analysis.log_variance(draws["estimate"].values[(draws["group"] == group).values].transpose(1, 2, 0, 3))
            for group in ("law/16", "law/64")
        ]
        error = np.sqrt(sum((log.standard_error**2).sum(axis=0) for log in logs)) / 2
        ends = np.log(averages["mean_gain_ci"].sel(subject="law", rival="bad", estimator="good"))
        np.testing.assert_allclose((ends[:, 1] - ends[:, 0]) / 2, 1.959964 * error, rtol=1e-6)

    def test_a_group_that_was_not_run_leaves_no_average(self):
        draws = made_up({"good": 1.0, "bad": 30.0})
        draws["estimate"].loc[{"item": draws["group"] == "law/64", "estimator": "good"}] = np.nan
        summary, averages = summarise_frontier(draws, candidates(draws), ["bad"])
        assert averages["mean_gain"].sel(subject="law", estimator="good").isnull().all()
        assert (summary["winner"].sel(group="law/64") == "bad").all()


class TestRun:
    def test_draws_match_the_estimators(self, frontier_study):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
        tokens = law.sample(4, length=6, seed=1)
        draws = frontier_study["draws"].to_dataset()
        member = draws["group"] == "A <b>chain</b>/short"
        expected = ids.estimator("time-free").sample(
            law, tokens, passes=8, replicates=8, rng=np.random.SeedSequence(3), context=2
        )
        np.testing.assert_array_equal(draws["estimate"].sel(estimator="time-free", passes=8)[member], expected)
        np.testing.assert_array_equal(draws["truth"][member], law.nll(tokens, context=2))
        assert draws["length"].values.tolist() == [4] * 4 + [16] * 3 + [4] * 3

    def test_a_subject_alone_has_the_same_numbers(self, frontier_study, tmp_path):
        head, _, second = SMALL_FRONTIER.split("[[subjects]]")
        alone = run(tmp_path, f"{head}[[subjects]]{second}")["draws"].to_dataset()
        whole = frontier_study["draws"].to_dataset()
        part = whole["estimate"].isel(item=(whole["subject"] == "Two letters").values)
        np.testing.assert_array_equal(alone["estimate"], part)

    def test_cells_that_cannot_run_are_missing_and_reported_compactly(self, frontier_study):
        draws = frontier_study["draws"].to_dataset()
        letters = draws["estimate"].isel(item=(draws["subject"] == "Two letters").values)
        assert letters.sel(passes=8).isnull().all()
        assert letters.sel(passes=4).notnull().all()
        chain = draws["estimate"].sel(estimator="chain").isel(replicate=0).groupby("length").first()
        assert chain.notnull().values.tolist() == [[True, True], [False, False]]
        assert json.loads(frontier_study["provenance"].attrs["not_run"]) == ["chain at all at length 16"]

    def test_estimators_of_infinite_variance_never_win_and_the_chain_is_exact(self, frontier_study):
        summary = frontier_study["summary"].to_dataset()
        assert summary["role"].sel(estimator="time-integral") == "untrusted"
        assert not (summary["winner"] == "time-integral").any()
        assert (summary["winner"].sel(group="A <b>chain</b>/short") == "chain").all()
        assert summary["winner"].sel(group="Two letters/all", passes=8) == ""
        assert summary["cautions"].sel(estimator="time-integral", caution="infinite-variance")

    def test_both_models_are_named(self, frontier_study):
        first, second = frontier_study["provenance"].attrs["model"].split("; ")
        assert first.startswith("Markov chain of order 1")
        assert second.startswith("table")

    def test_pairs_of_unequal_length_are_in_the_row_of_the_longer_side(self, tmp_path):
        head = SMALL_FRONTIER.split("targets = [", maxsplit=1)[0]
        text = head.replace("replicates = 8", 'replicates = 8\ncontrasts = ["coupled"]').replace(
            '["time-free", "uniform-count+stratified"]', '["coupled time-free"]'
        )
        pair = '{ name = "a", count = 2, length = 5, context = 1, edit = "unrelated", second_length = 8 }'
        tree = run(tmp_path, f"{text}pairs = [{pair}]\n")
        draws = tree["draws"].to_dataset()
        assert tree.attrs["quantity"] == "log_ratio"
        assert draws["length"].values.tolist() == [7, 7]
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
        exact = draws["estimate"].sel(estimator="coupled chain", passes=8)
        np.testing.assert_allclose(exact, draws["truth"].broadcast_like(exact), atol=1e-9)
        seeds = np.random.SeedSequence(0).spawn(2)
        first, second = (law.sample(2, length=one, seed=seed) for one, seed in zip((5, 8), seeds, strict=True))
        second[:, 0] = first[:, 0]
        np.testing.assert_allclose(draws["truth"], law.nll(second, context=1) - law.nll(first, context=1))

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            (
                '{ name = "short", count = 4, length = 6, context = 2, seed = 1 }',
                '{ name = "short", sequences = ["ACGT", "ACG"] }',
                "needs items of one scored length, got 3 to 4",
            ),
            (
                'estimators = ["time-free", "uniform-count+stratified", "chain", "block-chain", "time-integral"]\n'
                'rivals = ["time-free", "uniform-count+stratified"]',
                'estimators = ["time-integral"]\nrivals = ["time-integral"]',
                "no estimator can be the best",
            ),
        ],
    )
    def test_input_that_cannot_be_compared_is_rejected_in_one_sentence(self, tmp_path, old, new, words):
        assert old in SMALL_FRONTIER
        with pytest.raises(ids.InputError, match=words) as caught:
            run(tmp_path, SMALL_FRONTIER.replace(old, new))
        assert "\n" not in str(caught.value)

    def test_groups_have_a_single_scored_length(self, tmp_path, network_file):
        records = [{"response": "GATTACA"}, {"prompt": "GA", "response": "TTA"}]
        (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, records)))
        subject = f'[[subjects]]\nname = "texts"\nmodel = {{ name = "{network_file}" }}\n'
        text = SMALL_FRONTIER.split("[[subjects]]", maxsplit=1)[0] + subject
        with pytest.raises(ids.InputError, match=r"group 'texts/a' needs items of one scored length, got 3 to 7"):
            run(tmp_path, f'{text}targets = [{{ name = "a", records = "texts.jsonl" }}]\n')

    def test_a_network_has_no_exact_value(self, tmp_path, network_file):
        subject = f'[[subjects]]\nname = "texts"\nmodel = {{ name = "{network_file}" }}\n'
        text = SMALL_FRONTIER.split("[[subjects]]", maxsplit=1)[0] + subject
        tree = run(tmp_path, f'{text}targets = [{{ name = "a", sequences = ["GATTA", "ACCAT"] }}]\n')
        assert tree["draws"]["truth"].isnull().all()
        assert tree["summary"]["bias_p"].isnull().all()
        assert (tree["summary"]["winner"] != "").all()
