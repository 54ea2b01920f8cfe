"""Loading by name: the options of Hugging Face models, and modules of the user's own."""

import sys

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import InputError
from infodis_stats.models import check_text_model
from tests.support.chat_checkpoints import BOS, MASK, TEMPLATES, write_chat_checkpoint

OWN = """
import torch
import infodis_stats as ids

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=3)

class Coin:
    def token_nll(self, tokens, masked):
        return masked * torch.log(torch.tensor(2.0))

class Needy(Coin):
    def __init__(self, path):
        self.path = path

class Scores:
    vocabulary_size = 2
    def log_ratios(self, noised, acts, total_noise, noise):
        return torch.zeros(*noised.shape, noise.states(2))

class Network(torch.nn.Module):
    def forward(self, tokens):
        return tokens

def austen():
    return ids.load_model("austen")

def broken():
    raise ValueError("no weights\\nhere")

def refused():
    raise ids.InputError("the weights are elsewhere")

def nothing():
    return None

coin, network, number = Coin(), Network(), 7
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a package of the user's own, and return a function that loads an object of it."""
    package = tmp_path / "own_models"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "large.py").write_text(OWN)
    (package / "failing.py").write_text("raise RuntimeError('the disk\\nis gone')")
    (package / "needing.py").write_text("import a_package_that_is_not_there")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield lambda name, **options: ids.load_model(f"own_models.{name}", allow_import=True, **options)
    for name in [name for name in sys.modules if name.split(".")[0] == "own_models"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["large:coin", "large:Coin"])
def test_an_object_or_a_class_of_a_module_is_a_model(name, own):
    made = own(name)
    assert type(made).__name__ == "Coin"
    result = ids.estimate_nll(made, [[0, 1, 1]], passes=4, replicates=2)
    assert result["nll"].item() == pytest.approx(3 * np.log(2), rel=1e-6)


def test_a_function_of_a_module_returns_a_model(own):
    assert own("large:austen").fingerprint() == ids.load_model("austen").fingerprint()
    assert own("large:LAW").alphabet == "ACGT"
    assert own("large:Scores").vocabulary_size == 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("large:absent", "the module own_models.large has no object absent"),
        ("large:coin.absent", "the module own_models.large has no object coin.absent"),
        ("absent:coin", "there is no module own_models.absent: install it, or run in the folder that contains it"),
        ("failing:coin", r"failed while it was imported \(RuntimeError: the disk\)"),
        ("needing:coin", "the module own_models.needing needs the package a_package_that_is_not_there: pip install"),
        ("large:broken", r"failed when it was called without arguments \(ValueError: no weights\)"),
        ("large:Needy", r"failed when it was called without arguments \(TypeError: .*'path'"),
        ("large:refused", "^the weights are elsewhere$"),
        ("large:nothing", "returns an object of type NoneType, which is not a model"),
        ("large:number", "is an object of type int, which is not a model"),
        (
            "large:network",
            r"is an object of type Network, which is not a model: it needs the method token_nll\(tokens, masked\)",
        ),
        ("large:Network", "returns an object of type Network, which is not a model"),
    ],
)
def test_modules_without_a_model_are_refused_in_one_sentence(name, sentence, own):
    with pytest.raises(InputError, match=sentence) as caught:
        own(name)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(own):
    with pytest.raises(InputError, match=r"^'no_such_package.large:coin': there is no module no_such_package: "):
        ids.load_model("no_such_package.large:coin", allow_import=True)


def test_nothing_is_imported_without_permission(own):
    with pytest.raises(InputError, match=r"'own_models.large:coin' is .* imported only with allow_import=True"):
        ids.load_model("own_models.large:coin")
    assert "own_models.large" not in sys.modules
    own("large:coin")  # control
    assert "own_models.large" in sys.modules


def test_a_text_model_has_all_methods(own):
    assert check_text_model(own("large:austen"), "austen").longest == 128
    with pytest.raises(
        InputError, match=r"^'own:coin' has no longest, encode, decode, describe, fingerprint: a model that"
    ):
        check_text_model(own("large:coin"), "own:coin")


@pytest.mark.parametrize("name", ["austen", "own_models.large:coin", "absent.safetensors"])
@pytest.mark.parametrize(
    "option",
    [
        {"family": "llada"},
        {"mask_id": 0},
        {"before": ()},
        {"shifted": False},
        {"exclude_mask": False},
        {"guidance": 0.0},
        {"block_size": 4},
        {"dtype": "float32"},
        {"device_map": "auto"},
        {"revision": "main"},
        {"tokenizer": "gpt2"},
    ],
    ids=lambda option: next(iter(option)),
)
def test_options_of_other_models_are_refused(name, option, own):
    (keyword,) = option
    with pytest.raises(
        InputError, match=f"^{keyword}= is an option of Hugging Face models .*, but the model is '{name}'"
    ):
        ids.load_model(name, allow_import=True, **option)


@pytest.mark.parametrize(
    "name", ["unknown", "own_models/large:coin", "own models:coin", "a:b:c", ":coin", "large:", ""]
)
def test_other_names_are_not_models(name):
    with pytest.raises(InputError, match=f"^there is no model '{name}'; use 'austen', "):
        ids.load_model(name, allow_import=True)


def test_hugging_face_models_have_all_options(tmp_path):
    write_chat_checkpoint(tmp_path / "model")
    write_chat_checkpoint(tmp_path / "other", template=TEMPLATES["llada"])
    source = f"hf:{tmp_path / 'model'}"
    usual = ids.load_model(source, trust_remote_code=True)
    assert usual.conventions() == {
        "family": "llada",
        "mask_id": MASK,
        "before": [],
        "after": [],
        "shifted": False,
        "exclude_mask": False,
        "guidance": 0.0,
        "dtype": "float32",
    }
    options = {
        "family": "dream",
        "mask_id": 3,
        "before": (BOS,),
        "after": [1, 2],
        "shifted": True,
        "exclude_mask": True,
        "guidance": 0.5,
        "dtype": torch.bfloat16,
    }
    for name, value in options.items():
        changed = ids.load_model(source, trust_remote_code=True, **{name: value}).conventions()
        expected = {"before": [BOS], "dtype": "bfloat16"}.get(name, value)
        assert changed[name] == expected
    both = ids.load_model(source, trust_remote_code=True, tokenizer=tmp_path / "other")
    assert both.tokenizer.chat_template == TEMPLATES["llada"]
    assert usual.tokenizer.chat_template is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "accelerate", None)  # whether it is installed or not
        with pytest.raises(InputError, match="device_map='auto' needs the package accelerate"):
            ids.load_model(source, trust_remote_code=True, device_map="auto")
        placed = ids.load_model(source, trust_remote_code=True, device_map="cpu")
    assert placed.fingerprint() == usual.fingerprint()
    with pytest.raises(InputError, match="trust_remote_code=True"):
        ids.load_model(source)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"before": (99,)}, "before must be tokens of the network, 0 to 23, but it contains 99"),
        ({"after": (1, -1)}, "after must be tokens of the network, 0 to 23, but it contains -1"),
        ({"mask_id": 10**25}, "mask_id must be a 64-bit integer, got 1000"),
        ({"mask_id": 99}, "mask_id must be a token that the network takes, got 99"),
        ({"guidance": -1.0}, "guidance must be a finite number of at least 0"),
        ({"device_map": "gpu"}, "the device 'gpu' is not available here"),
        ({"dtype": "int8"}, "dtype must be one of float64, float32, bfloat16 and float16, got 'int8'"),
    ],
)
def test_impossible_options_are_refused_in_one_sentence(options, sentence, tmp_path):
    write_chat_checkpoint(tmp_path)
    with pytest.raises(ids.InfodisError, match=sentence) as caught:
        ids.load_model(f"hf:{tmp_path}", trust_remote_code=True, **options)
    assert "\n" not in str(caught.value)
