"""Studies of likelihoods: values are those of direct enumerations, summaries agree with draws, pages with summaries."""

import itertools
import json
import re

import numpy as np
import pytest
import torch
import xarray as xr

import infodis_stats as ids
from estimators import Job, estimator, evaluate, make_targets
from estimators.masked.decoding.decoder import Decoder
from estimators.model import in_blocks
from infodis_stats.models import Denoiser, DenoiserConfig
from infodis_stats.report.html import render_html
from infodis_stats.studies import document_of
from infodis_stats.studies.likelihoods.known_losses import KnownLosses
from infodis_stats.studies.likelihoods.rules import decoder
from infodis_stats.studies.likelihoods.summary import summarise_published, summarise_values
from tests.support.toys import ArbitraryBlocks

STUDY = """\
kind = "likelihoods"
title = "Small <b>likelihoods</b>"
seed = 3
replicates = 60
orders = 16
samplers = ["confidence", "entropy(tokens_per_step=2)", "left-to-right"]

[[subjects]]
name = "five <i>letters</i>"
model = { name = "whole.safetensors" }
targets = [{ name = "texts", records = "texts.jsonl" }]

[[subjects]]
name = "blocks"
model = { name = "three.safetensors" }
targets = [{ name = "texts", records = "texts.jsonl" }]

[[subjects]]
name = "law"
law = { kind = "markov-chain", order = 1, alphabet = "ACGT", seed = 5 }
targets = [{ name = "drawn", count = 3, length = 5, seed = 1 }]

[[estimators]]
name = "published-d1"
passes = 1

[[estimators]]
name = "published-llada"
passes = 4
batches = 9

[[estimators]]
name = "uniform-count"
passes = 4
subjects = ["five <i>letters</i>"]
"""
TEXTS = ("GATTA", "TAG C", "CCAAT")
WHOLE, BLOCKS, LAW = "five <i>letters</i>", "blocks", "law"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("likelihoods")
    for name, options in (("whole", {}), ("three", {"block_size": 3})):
        torch.manual_seed(3)
        network = Denoiser(DenoiserConfig("GATC ", length=8, layers=1, width=16, heads=2, **options))
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.6)
        network.save(place / f"{name}.safetensors")
    lines = [json.dumps({"id": f"text {row}", "response": text}) for row, text in enumerate(TEXTS)]
    (place / "texts.jsonl").write_text("\n".join(lines))
    (place / "study.toml").write_text(STUDY)
    return place


@pytest.fixture(scope="module")
def tree(folder):
    return ids.run_study(folder / "study.toml")


def in_order(network, text, order):
    """The chain rule in one order: nats."""
    tokens = torch.tensor(network.encode(text))[None]
    masked, total = torch.ones_like(tokens, dtype=torch.bool), 0.0
    for position in order:
        total += network.token_nll(tokens, masked)[0, position].item()
        masked[0, position] = False
    return total


def over_orders(network, text, blocks):
    """The chain rule in every order within blocks from left to right: nats."""
    return np.array(
        [
            in_order(network, text, [position for block in orders for position in block])
            for orders in itertools.product(*(itertools.permutations(block) for block in blocks))
        ]
    )


def values_of(tree, subject, estimand, bound="lower"):
    values = tree["values"].to_dataset()
    return values[bound].sel(estimand=estimand).values[values["subject"].values == subject]


@torch.no_grad()
@pytest.mark.parametrize(
    ("subject", "file", "blocks"),
    [(WHOLE, "whole", [range(5)]), (BLOCKS, "three", [range(3), range(3, 5)])],
)
def test_values_are_those_of_direct_enumerations(folder, tree, subject, file, blocks):
    network = ids.load_model(folder / f"{file}.safetensors")
    every = [over_orders(network, text, blocks) for text in TEXTS]
    any_order = [orders.mean() for orders in every]
    marginal = [-np.log(np.exp(-orders).mean()) for orders in every]
    left = [in_order(network, text, range(5)) for text in TEXTS]
    np.testing.assert_allclose(values_of(tree, subject, "any-order"), any_order, rtol=1e-5)
    for bound in ("lower", "upper"):
        np.testing.assert_allclose(values_of(tree, subject, "order-marginal", bound), marginal, rtol=1e-5)
    np.testing.assert_allclose(values_of(tree, subject, "left-to-right"), left, rtol=1e-5)
    assert (np.array(any_order) > np.array(marginal) + 1e-4).all(), "control: the orders differ"
    summary = tree["summary"].to_dataset().sel(subject=subject)
    assert summary["bits"].sel(estimand="order-marginal").item() == pytest.approx(np.sum(marginal) / 15 / np.log(2))
    assert summary["perplexity"].sel(estimand="left-to-right").item() == pytest.approx(np.exp(np.sum(left) / 15))
    difference = summary["difference"].sel(estimand="order-marginal").item()
    assert difference == pytest.approx(np.sum(marginal) / np.sum(any_order) - 1, rel=1e-3)
    assert bool(summary["exact"].all())


def test_under_a_law_every_estimand_of_one_token_per_step_is_the_exact_value(tree):
    values = tree["values"].to_dataset()
    part = values.isel(item=values["subject"].values == LAW)
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
    exact = law.nll(law.sample(3, length=5, seed=1))
    for name in ("any-order", "order-marginal", "sampler(confidence)", "left-to-right"):
        for bound in ("lower", "upper"):
            np.testing.assert_allclose(part[bound].sel(estimand=name), exact, rtol=1e-9)
    two = part["lower"].sel(estimand="sampler(entropy, tokens_per_step=2)").values
    assert (np.abs(two - exact) > 1e-4).any(), "control: two tokens per step"


def test_bias_and_spread_are_those_of_the_draws(tree):
    summary, draws = tree["summary"].to_dataset(), tree["draws"].to_dataset()
    truth = values_of(tree, WHOLE, "any-order")
    label = "published-llada, 9 x 4 passes"
    estimates = draws["estimate"].sel(estimator=label).values[draws["subject"].values == WHOLE]
    part = summary.sel(subject=WHOLE, estimator=label)
    mean = draws["exact_mean"].sel(estimator=label).values[draws["subject"].values == WHOLE].sum()
    assert part["bias"].item() == pytest.approx(mean / truth.sum() - 1, rel=1e-6)
    error = np.sqrt(estimates.var(axis=1, ddof=1).sum() / 60)
    assert part["simulation_z"].item() == pytest.approx((estimates.mean(axis=1).sum() - mean) / error, rel=1e-3)
    assert abs(part["simulation_z"].item()) < 4
    assert abs(estimates.mean(axis=1).sum() - truth.sum()) < 20 * error
    sd = estimates.std(axis=1, ddof=1) / 3  # of the mean of nine batches
    assert part["text_spread"].item() == pytest.approx(np.sqrt(np.mean((sd / truth) ** 2)))
    assert part["set_spread"].item() == pytest.approx(np.sqrt(np.sum(sd**2)) / truth.sum())
    assert part["published_passes"].item() == 36
    assert summary["text_spread"].sel(subject=WHOLE, estimator="published-d1, 1 pass").item() < 1e-6
    only = summary["bias"].sel(estimator="uniform-count, 4 passes")
    assert only.notnull().values.tolist() == [True, False, False]
    assert abs(summary["bias_z"].sel(estimator="uniform-count, 4 passes", subject=WHOLE).item()) < 4


def test_control_shifted_draws_of_an_unbiased_estimator_get_a_verdict(tree):
    checks = {verdict.check: verdict.verdict for verdict in ids.diagnose(tree).verdicts}
    assert set(checks.values()) == {"fine"}
    draws, truth = tree["draws"].to_dataset(), tree["truth"].to_dataset()
    shifted = summarise_published(draws.assign(estimate=draws["estimate"] * 1.5), truth, [1, 9, 1])
    changed = tree.copy(deep=True)
    changed["summary"] = changed["summary"].to_dataset().assign(bias_p=shifted["bias_p"])
    assert {v.check: v.verdict for v in ids.diagnose(changed).verdicts}["bias"] == "caution"
    changed["summary"] = tree["summary"].to_dataset().assign(simulation_p=shifted["simulation_p"])
    assert {v.check: v.verdict for v in ids.diagnose(changed).verdicts}["draws against exact means"] == "do not use"


def test_means_are_drawn_where_they_are_not_exact(tree):
    draws, truth = tree["draws"].to_dataset(), tree["truth"].to_dataset()
    unknown = draws.assign(exact_mean=draws["exact_mean"] * np.nan)
    drawn = summarise_published(unknown, truth, [1, 9, 1]).sel(subject=WHOLE, estimator="uniform-count, 4 passes")
    known = summarise_published(draws, truth, [1, 9, 1]).sel(subject=WHOLE, estimator="uniform-count, 4 passes")
    assert abs(known["bias"].item()) < 1e-6
    assert 0 < abs(drawn["bias"].item()) < 4 * drawn["bias_se"].item()
    assert np.isnan(drawn["simulation_z"].item())


def test_control_an_order_marginal_value_above_the_any_order_one_gets_a_verdict(tree):
    changed = tree.copy(deep=True)
    values = changed["values"].to_dataset()
    values["lower"].loc[{"estimand": "order-marginal"}] = values["lower"].sel(estimand="order-marginal") * 2
    changed["values"] = values
    worst = ids.diagnose(changed).verdicts[0]
    assert (worst.verdict, worst.check) == ("do not use", "order-marginal at most any-order")
    values["lower"].loc[{"estimand": "order-marginal"}] = -np.inf
    changed["values"] = values
    assert ids.diagnose(changed).verdicts[0].check == "order-marginal bounds"


def test_a_set_is_bounded_on_both_sides():
    estimands = ["any-order", "order-marginal"]
    values = xr.Dataset(
        {
            "lower": (("item", "estimand"), [[4.0, 3.0], [6.0, 5.0]]),
            "lower_se": (("item", "estimand"), [[0.0, 0.3], [0.0, 0.4]]),
            "upper": (("item", "estimand"), [[4.0, 3.5], [6.0, 5.5]]),
            "upper_se": (("item", "estimand"), [[0.0, 0.0], [0.0, 0.0]]),
            "exact": (("item", "estimand"), [[1.0, 0.0], [1.0, 0.0]]),
        },
        coords={"estimand": estimands, "subject": ("item", ["one", "one"])},
    )
    truth = xr.Dataset({"length": ("item", [2, 3]), "bytes": ("item", [4, 6])}, {"subject": values["subject"]})
    summary = summarise_values(values, truth, level=0.95).sel(subject="one", estimand="order-marginal")
    ends = np.array([8.0 - 1.959964 * 0.5, 9.0]) / 5
    np.testing.assert_allclose(summary["bits_ci"], ends / np.log(2), rtol=1e-6)
    np.testing.assert_allclose(summary["perplexity_ci"], np.exp(ends), rtol=1e-6)
    assert summary["bits"].item() == pytest.approx(8.5 / 5 / np.log(2))
    assert summary["bits_per_byte"].item() == pytest.approx(8.5 / 10 / np.log(2))
    assert not summary["exact"]
    values["lower"][0, 1] = -np.inf
    open_below = summarise_values(values, truth).sel(subject="one", estimand="order-marginal")
    assert open_below["bits_ci"].values.tolist() == pytest.approx([0.0, 9.0 / 5 / np.log(2)])
    assert open_below["bits"].item() == pytest.approx(9.0 / 5 / np.log(2))


def test_the_page_answers_in_three_sentences_and_agrees_with_the_summary(tree, tmp_path):
    report = document_of(tree)
    assert len(report.answer) <= 3
    summary = tree["summary"].to_dataset().sel(subject=WHOLE)
    others = tree["summary"].to_dataset()["difference"].values[:, 1]
    found = re.search("differs from the any-order value by \N{MINUS SIGN}([0-9.]+) % to", report.answer[0])
    assert float(found[1]) == pytest.approx(-100 * others.min(), rel=0.06)
    table = report.headlines["Bits per token, by estimand"].set_index("estimand")
    assert table.index.tolist()[:2] == ["any-order", "order-marginal"]
    left = summary["bits"].sel(estimand="left-to-right").item()
    assert float(table.loc["left-to-right", WHOLE].partition(" ")[0]) == pytest.approx(left, rel=1e-3)
    published = report.headlines[f"{WHOLE}: published estimators"].set_index("estimator")
    assert published.loc["uniform-count", "may be compared with"] == "any-order"
    assert published.loc["published-d1", "may be compared with"] == "same code only"
    page = render_html(report)
    assert "<i>" not in page
    assert "order-marginal, -log p(x) of generation in a random order" in page
    ids.write_report(tree, tmp_path)
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == {"estimands", "estimators", "texts"}
    assert render_html(document_of(ids.read_store(tmp_path))) == page


def test_decoders_that_a_model_cannot_run_are_listed(folder):
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)

    class Losses:
        def token_nll(self, tokens, masked):
            return law.token_nll(tokens, masked)

    keys = {
        "kind": "likelihoods",
        "title": "No distributions",
        "seed": 0,
        "replicates": 20,
        "estimators": [{"name": "published-d1", "passes": 1}],
        "samplers": ["confidence", "left-to-right"],
        "subjects": [
            {
                "name": "law",
                "law": {"kind": "markov-chain", "order": 1, "alphabet": "ACGT", "seed": 5},
                "targets": [{"name": "drawn", "count": 2, "length": 4}],
            }
        ],
    }
    tree = ids.run_study(ids.Spec(**keys), model=Losses())
    assert tree["values"]["estimand"].values.tolist() == ["any-order", "order-marginal", "left-to-right"]
    (reason,) = json.loads(tree["provenance"].attrs["not_run"])
    assert reason.startswith("confidence needs the distributions at masked positions")
    assert ids.diagnose(tree).verdicts


def test_names_of_decoders():
    assert decoder("confidence") == Decoder("confidence")
    assert decoder("margin(block=4)") == Decoder("margin", 1, 4)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"confidence",', '"confident",', "there is no decoder 'confident'; did you mean 'confidence'?"),
        ("tokens_per_step=2", "tokens=2", "has no tokens; it may have tokens_per_step= and block="),
        ("tokens_per_step=2", "tokens_per_step=0", "tokens_per_step must be a positive integer"),
        ("tokens_per_step=2", "tokens_per_step=two", "needs a number for tokens_per_step"),
        ("replicates = 60", "replicates = 6", "replicates must be at least 20, got 6"),
        ("orders = 16", "orders = 2", "orders must be at least 3, got 2"),
        ("batches = 9", "batch = 9", "unknown key 'estimators.1.batch'; did you mean 'batches'?"),
        ('name = "uniform-count"\npasses', 'name = "uniform-counts"\npasses', "there is no estimator 'uniform-counts'"),
        ('subjects = ["five', 'subjects = ["six', "there is no subject 'six <i>letters</i>'"),
        ('name = "blocks"\n', 'name = "law"\n', "the names of subjects must differ"),
        (
            'name = "published-d1"\npasses = 1',
            'name = "published-pll"\npasses = 1',
            "published-pll cannot run with any",
        ),
        ('name = "law"\n', 'name = "law"\nmost_passes = 4\n', "leave most_passes out"),
        ('name = "three.safetensors"', 'name = "austen-uniform"', "needs a model that prices masked tokens"),
        (
            'targets = [{ name = "texts", records = "texts.jsonl" }]',
            'pairs = [{ name = "texts", records = "texts.jsonl" }]',
            "a study of likelihoods scores targets, not pairs",
        ),
    ],
)
def test_bad_files_are_rejected_in_one_sentence(folder, old, new, words):
    path = folder / "bad.toml"
    assert old in STUDY
    path.write_text(STUDY.replace(old, new, 1))
    with pytest.raises((ids.InputError, ids.StoreError)) as caught:
        ids.run_study(path)
    assert words in str(caught.value)


def test_known_losses_are_those_of_the_model_and_of_no_other_mask():
    model, length = ArbitraryBlocks(7, 3), 7
    context = np.arange(length) == 1
    (target,) = (in_blocks(each, model) for each in make_targets(np.arange(length)[None] % 5, context[None]))
    plan = estimator("exhaustive").plan_target(target, 7, 1, np.random.default_rng(0))
    (evaluation,) = evaluate(model, [Job(target, plan)])
    known = KnownLosses(model, [target], [evaluation.losses[0]])
    tokens = np.arange(length)[None] % 5
    for name, passes in (("uniform-count", 4), ("published-bd3lm", 2), ("chain", 3)):
        draws = [
            estimator(name).sample(each, tokens, passes=passes, replicates=5, rng=1, context=context[None])
            for each in (model, known)
        ]
        np.testing.assert_allclose(*draws, rtol=1e-12)
    masked = torch.ones(1, length, dtype=torch.bool)
    with pytest.raises(ids.InputError, match="of no target whose losses are known"):
        known.token_nll(torch.from_numpy(tokens), masked)
