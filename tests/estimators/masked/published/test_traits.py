"""Every published scheme says where it comes from, what it is for, how many passes it needs and how it is listed."""

from typing import get_args

import numpy as np
import pytest

from estimators import InputError, PassesError, estimator, estimator_names
from estimators.masked.published import Published, PublishedSPG, Purpose

NAMES = [name for name in estimator_names("masked") if name.startswith("published-")]
UNBIASED = {"published-radd", "published-smdm", "published-espo", "published-elbo-kto"}
REPOSITORIES = {
    "infodis": "Dongjae0324/infodis",
    "infodis-text8": "Dongjae0324/infodis",
    "mdlm": "kuleshov-group/mdlm",
    "mdlm-discrete": "kuleshov-group/mdlm",
    "bd3lm": "kuleshov-group/bd3lms",
    "radd": "ML-GSAI/RADD",
    "gidd": "dvruette/gidd",
    "discrete-elbo": "openai/parameter-golf",
    "parameter-golf-loss": "openai/parameter-golf",
    "llada": "ML-GSAI/LLaDA",
    "dream": "HKUNLP/Dream",
    "smdm": "ML-GSAI/SMDM",
    "pll": "awslabs/mlm-scoring",
    "diffucoder": "apple/ml-diffucoder",
    "d1": "dllm-reasoning/d1",
    "espo": "ML-GSAI/ESPO",
    "gdpo": "KevinRojas1499/GDPO",
    "spg": "facebookresearch/SPG",
    "elbo-kto": "vaibhavjindal/elbo-kto",
}


@pytest.mark.parametrize("name", NAMES)
def test_each_names_its_source_and_purpose(name):
    scheme = estimator(name)
    assert isinstance(scheme, Published)
    assert scheme.source.startswith(REPOSITORIES[name.removeprefix("published-")])
    assert scheme.purpose in get_args(Purpose)
    assert scheme.summary.startswith("as published")


def test_the_list_is_complete_and_nothing_else_is_biased():
    assert sorted(NAMES) == sorted(f"published-{name}" for name in REPOSITORIES)
    biased = {name for name in estimator_names("masked") if not estimator(name).unbiased}
    assert biased == set(NAMES) - UNBIASED


def test_rates_without_a_floor_have_infinite_variance_and_two_scores_are_not_drawn():
    assert {name for name in NAMES if not estimator(name).finite_variance} == {"published-radd", "published-smdm"}
    assert {name for name in NAMES if estimator(name).deterministic} == {"published-d1", "published-pll"}
    assert {name for name in NAMES if not estimator(name).weighted_sum} == {"published-spg"}


@pytest.mark.parametrize(
    ("name", "length", "passes", "sentence"),
    [
        ("published-gidd", 4, 1, "published-gidd needs at least 2 passes, both ends of its grid; got 1"),
        ("published-gdpo", 4, 2, "published-gdpo needs at least 3 passes, got 2"),
        ("published-gdpo", 1, 8, "published-gdpo needs at least 2 scored positions, whatever the passes; got 1"),
        ("published-espo", 4, 1, "published-espo needs at least 2 passes, got 1"),
        ("published-infodis", 1, 8, "published-infodis needs at least 2 scored positions, whatever the passes"),
        ("published-diffucoder", 5, 2, "published-diffucoder needs at least 3 passes, got 2"),
        ("published-pll", 5, 4, "published-pll needs 5 passes for 5 scored positions, got 4"),
    ],
)
def test_they_state_their_requirements(name, length, passes, sentence):
    with pytest.raises(PassesError, match=sentence):
        estimator(name).plan(length, passes, 1, np.random.default_rng(0))


def test_the_exponent_of_spg_is_a_parameter_of_its_name():
    assert estimator("published-spg(beta=1)") == PublishedSPG(beta=1.0)
    assert estimator("published-spg(beta=1)").name == "published-spg(beta=1)"
    assert estimator("published-spg") == PublishedSPG(1.5)
    for name, sentence in (
        ("published-spg(beta=0.5)", "published-spg needs beta of at least 1, got 0.5"),
        ("published-spg(beta=inf)", "beta"),
        ("published-spg(gamma=1)", "published-spg has no gamma"),
        ("published-mdlm(beta=1)", "published-mdlm has no beta, only published-spg has"),
    ):
        with pytest.raises(InputError, match=sentence):
            estimator(name)
