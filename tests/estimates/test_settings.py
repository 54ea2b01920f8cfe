"""Settings of an estimate: what is not a number, or not a possible one, is refused in one sentence."""

import pytest

import infodis_stats as ids

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(2, length=6, seed=1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"passes": "16"}, r"^passes must be a positive integer, got '16' \(str\)$"),
        ({"passes": True}, r"^passes must be a positive integer, got True \(bool\)$"),
        ({"replicates": 0}, r"^replicates must be a positive integer, got 0$"),
        ({"seed": 1.5}, r"^seed must be a non-negative integer, got 1.5 \(float\)$"),
        ({"seed": -1}, r"^seed must be a non-negative integer, got -1$"),
        ({"most_passes": "all"}, r"^most_passes must be a positive integer, got 'all' \(str\)$"),
        ({"level": "95%"}, r"^a confidence level must be between 0 and 1, got '95%'$"),
        ({"level": 95}, r"^a confidence level must be between 0 and 1, got 95$"),
        ({"batch_size": 0}, r"^batch_size must be a positive integer, got 0$"),
        ({"device": "no such"}, r"^the device 'no such' is not available here$"),
        ({"interval": "wald"}, r"^there is no interval 'wald'"),
    ],
)
def test_wrong_settings_are_refused(settings, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        ids.estimate_nll(LAW, TOKENS, "uniform-count", **settings)


def test_control_right_settings_are_not():
    settings = {
        "passes": 4,
        "replicates": 2,
        "seed": 0,
        "most_passes": 8,
        "level": 0.5,
        "batch_size": 1,
        "device": "cpu",
    }
    assert ids.estimate_nll(LAW, TOKENS, "uniform-count", **settings)["nll"].shape == (2,)


@pytest.mark.parametrize("name", ["austen", "weights.safetensors", "hf:folder"])
def test_a_model_for_a_missing_device_is_refused(name):
    with pytest.raises(ids.InputError, match="the device 'no such' is not available here"):
        ids.load_model(name, device="no such")
