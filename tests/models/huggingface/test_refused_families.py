"""Families whose plain calls give no likelihoods are refused by name, before any of their code runs."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import Tensor, nn

from estimators import InputError
from infodis_stats.models.huggingface import FAMILIES, MaskedLanguageModel, load_huggingface
from infodis_stats.models.huggingface.families import REFUSED as FAMILIES_REFUSED
from tests.support import tiny_networks
from tests.support.checkpoints import CHECKPOINTS, REFUSED, word_tokenizer, write_checkpoint

pytest.importorskip("transformers")

# What the message says about each family.
REASONS = {
    "e2d2": "E2D2.* trained by block diffusion",
    "mdlm of e2d2": "E2D2.* trained by block diffusion",
    "bd3lm of e2d2": "(BD3-LM|E2D2).* trained by block diffusion",
    "dream-reasoner": "Dream Reasoner.* trained by block diffusion",
    "other blocks": "A network that predicts in blocks.* trained by block diffusion",
    "blocks of llada": "A network that predicts in blocks.* trained by block diffusion",
    "udlm": "UDLM.* trained with uniform noise, which replaces tokens instead of masking them",
    "duo": "Duo.* trained with uniform noise",
    "gidd": "GIDD.* trained with a mixture of masking and uniform noise",
    "sedd-uniform": "SEDD with uniform noise.* trained with uniform noise",
    "diffusion-gemma": "DiffusionGemma.* trained by block diffusion with uniform noise",
    "dplm2": "DPLM-2.* a structure and a protein side by side",
}


def write_refused(folder: Path, name: str) -> None:
    """Write a folder of a refused family whose code must not run."""
    (folder / "config.json").write_text(json.dumps(REFUSED[name]))
    for file in ("configuration_own.py", "modeling_own.py"):
        (folder / file).write_text("raise SystemExit")
    word_tokenizer(folder, bos="<s>", eos="</s>", mask="<mask>")


def test_every_refused_family_has_a_reason() -> None:
    assert set(REASONS) == set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    "options", [{}, {"mask_id": 12}, {"family": "llada", "mask_id": 12}, {"family": "bert"}], ids=str
)
def test_a_checkpoint_is_refused_by_name(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    """This holds even if the user names another family."""
    write_refused(tmp_path, name)
    with pytest.raises(InputError, match=f"{REASONS[name]}") as caught:
        load_huggingface(tmp_path, trust_remote_code=True, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FAMILIES_REFUSED)
def test_a_refused_family_cannot_be_named(name: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "llada")
    with pytest.raises(InputError, match=f"family '{name}' is not supported: its? "):
        load_huggingface(tmp_path, family=name, trust_remote_code=True)
    with pytest.raises(InputError, match=f"family '{name}' is not supported: its? "):
        wrap(network(), name)


def network(name: str = "Own", config: Any = None) -> nn.Module:
    """Return a network of a class with this name."""
    made: nn.Module = type(name, (tiny_networks.LLaDA,), {})(SimpleNamespace(vocab_size=11))
    if config is not None:
        made.config = config
    return made


def wrap(net: nn.Module, family: str = "llada") -> MaskedLanguageModel:
    return MaskedLanguageModel(net, family, mask_id=10, length=16)


WITH_BLOCKS = [family for family in FAMILIES.values() if family.block_sizes]
CLASSES = sorted({name for family in [*FAMILIES_REFUSED.values(), *WITH_BLOCKS] for name in family.architectures})


@pytest.mark.parametrize("name", CLASSES)
def test_a_network_wrapped_by_hand_is_refused_by_its_class(name: str) -> None:
    with pytest.raises(InputError, match="cannot be used as a masked model: it"):
        wrap(network(name))


def test_a_subclass_of_a_refused_class_is_refused() -> None:
    class Tuned(type(network("SDARForCausalLM"))):  # type: ignore[misc] # a class made on the fly
        pass

    with pytest.raises(InputError, match=r"SDAR.* cannot be used as a masked model"):
        wrap(Tuned(SimpleNamespace(vocab_size=11)))


class Settings:
    """A configuration like those of transformers."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def to_dict(self) -> dict[str, Any]:
        return self.settings


@pytest.mark.parametrize("name", [name for name in REFUSED if name != "diffusion-gemma"])
@pytest.mark.parametrize("plain", [False, True])
def test_a_network_wrapped_by_hand_is_refused_by_its_configuration(name: str, plain: bool) -> None:
    config = dict(REFUSED[name])
    with pytest.raises(InputError, match=REASONS[name].replace(".*", ".* cannot be used as a masked model: .*", 1)):
        wrap(network(config=config if plain else Settings(**config)))


@pytest.mark.parametrize("kind", ["bd3lm", "sdar", "sdar_moe", "llada2_moe", "Fast_dLLM_Qwen", "udlm", "duo"])
def test_a_model_type_is_enough(kind: str) -> None:
    config = Settings(model_type=kind)
    with pytest.raises(InputError, match="cannot be used as a masked model"):
        wrap(network(config=config))


@pytest.mark.parametrize("name", sorted(CHECKPOINTS))
def test_control_supported_configurations_are_not_refused(name: str) -> None:
    config = {key: value for key, value in CHECKPOINTS[name].config.items() if key != "auto_map"}
    wrap(network(config=Settings(**config)))
    family = CHECKPOINTS[name].options.get("family", CHECKPOINTS[name].family or name)
    for kind in FAMILIES[family].architectures:
        wrap(network(kind))


def test_an_a2d_with_blocks_is_recognised_by_its_name_alone(tmp_path: Path) -> None:
    """The configurations of A2D with and without blocks are equal."""
    for name in ("Qwen3-0.6B-diffusion-bd3lm-v0.1", "own"):
        write_checkpoint(tmp_path / name, "a2d")
    with pytest.raises(InputError, match=r"the block size of family 'a2d-bd3lm' is unknown: .* \(published: 32\)"):
        load_huggingface(tmp_path / "Qwen3-0.6B-diffusion-bd3lm-v0.1", mask_id=10, trust_remote_code=True)
    with pytest.raises(InputError, match=r"have the same config.json, and give wrong .*'a2d' if .*='a2d-bd3lm' and"):
        load_huggingface(tmp_path / "own", mask_id=10, trust_remote_code=True)


def test_an_a2d_without_blocks_is_recognised_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "Qwen3-0.6B-diffusion-mdlm-v0.1"
    write_checkpoint(folder, "a2d")
    assert load_huggingface(folder, mask_id=10, trust_remote_code=True).family.name == "a2d"


def forward(self: nn.Module, input_ids: Tensor) -> Tensor:
    raise AssertionError("the network was called")


def test_a_refused_network_is_not_called() -> None:
    """Calls of some of these networks compile kernels or need a GPU."""
    kind = type("SDARForCausalLM", (nn.Module,), {"forward": forward})
    with pytest.raises(InputError, match="cannot be used as a masked model"):
        wrap(kind())
