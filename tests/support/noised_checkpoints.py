"""Folders of score models as on the hub: tiny networks with the interface and the quirks of each family."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from tests.support import tiny_networks
from tests.support.direct import randomised

__all__ = ["NOISED", "write_noised"]

SYMBOLS = 12  # of a process; mixed noise has a mask besides

CONFIGURATION = """
from transformers import PretrainedConfig

class Config(PretrainedConfig):
    model_type = "{kind}"

    def __init__(self, vocab_size=12, model_length=16, max_seq_len=16, **settings):
        super().__init__(**settings)
        self.vocab_size, self.model_length, self.max_seq_len = vocab_size, model_length, max_seq_len
"""
# As published, the last argument is needed, and the rotary table of GIDD fits its maximum length alone.
MODEL = """
import transformers

from .configuration_own import Config
from .tiny_networks import MDLM

class {name}(transformers.PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.backbone = MDLM(config)

    def forward(self, input_ids, timesteps):
        {check}
        return self.backbone(input_ids, timesteps)
"""
ONE_LENGTH = "assert input_ids.shape[1] == self.config.max_seq_len"


def _config(kind: str, name: str, **settings: Any) -> dict[str, Any]:
    auto = {"AutoConfig": "configuration_own.Config", "AutoModelForMaskedLM": f"modeling_own.{name}"}
    return {"model_type": kind, "architectures": [name], "auto_map": auto, "vocab_size": SYMBOLS, **settings}


NOISED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "udlm": _config("udlm", "UDLM", model_length=16, time_conditioning=True, cfg=False),
        "duo": _config("duo", "DUO", model_length=16, causal=False, var_min=False),
        "gidd": _config("dit", "DIT", max_seq_len=16, p_uniform=0.2, t_eps=1e-4) | {"vocab_size": SYMBOLS + 1},
    }
)
"""The content of ``config.json`` by family."""


def write_noised(folder: Path, name: str, **settings: Any) -> nn.Module:
    """Write the checkpoint of a family with its code, and return its network, which takes tokens and a time."""
    config = dict(NOISED[name]) | settings
    (architecture,) = config["architectures"]
    shutil.copy(tiny_networks.__file__, folder / Path(tiny_networks.__file__).name)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "configuration_own.py").write_text(CONFIGURATION.format(kind=config["model_type"]))
    check = ONE_LENGTH if name == "gidd" else "pass"
    (folder / "modeling_own.py").write_text(MODEL.format(name=architecture, check=check))
    torch.manual_seed(5)
    net = randomised(tiny_networks.MDLM(SimpleNamespace(vocab_size=config["vocab_size"])))
    weights = {f"backbone.{key}": tensor.clone() for key, tensor in net.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    return net
