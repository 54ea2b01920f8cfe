"""Model folders like those of LLaDA-Instruct and Dream-Instruct: a tiny network, its code and a chat template."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.support import tiny_networks

__all__ = ["BOS", "MASK", "TEMPLATES", "WORDS", "write_chat_checkpoint"]

LONGEST = 48

CODE = """
from transformers import PretrainedConfig, PreTrainedModel
from .tiny_networks import LLaDA

class TinyConfig(PretrainedConfig):
    def __init__(self, vocab_size=24, **settings):
        self.vocab_size = vocab_size
        super().__init__(**settings)

class LLaDAModelLM(PreTrainedModel):
    config_class = TinyConfig
    base_model_prefix = "model"

    def __init__(self, config):
        super().__init__(config)
        self.model = LLaDA(config)

    def forward(self, input_ids=None, attention_mask=None):
        return self.model(input_ids)

    def tie_weights(self):
        pass

class DreamModel(LLaDAModelLM):
    pass
"""
SPECIAL = ["<|bos|>", "<|eot|>", "<|header|>", "<|/header|>", "<|im_start|>", "<|im_end|>", "<unk>"]
ORDINARY = ["user", "assistant", "system", *"ABCDEFGH", "be", "kind", "one", "two", "three"]
WORDS = [*SPECIAL, *ORDINARY, "<|mdm|>"]
BOS, MASK = 0, len(WORDS) - 1

TEMPLATES = {
    # LLaDA's: BOS from the template, contents trimmed, always an assistant's header at the end.
    "llada": (
        "{{ bos_token }}{% for message in messages %}<|header|>{{ message['role'] }}<|/header|>\n\n"
        "{{ message['content'] | trim }}<|eot|>{% endfor %}{{ '<|header|>assistant<|/header|>\n\n' }}"
    ),
    # Dream's: no BOS, a system message of its own, the header only if asked for.
    "dream": (
        "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nbe kind<|im_end|>\n{% endif %}"
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{{ message['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "refuses a system prompt": (
        "{% for message in messages %}{% if message['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}{{ message['content'] }}<|eot|>{% endfor %}"
    ),
    "ignores a system prompt": (
        "{% for message in messages %}{% if message['role'] == 'user' %}{{ message['content'] }}<|eot|>{% endif %}"
        "{% endfor %}"
    ),
    "refuses everything": "{{ raise_exception('Conversation roles must alternate') }}",
}


def write_chat_checkpoint(
    folder: Path,
    family: str = "llada",
    template: str | None = None,
    *,
    scale: float = 1.0,
    mask_word: str | None = None,
    **settings: Any,
) -> nn.Module:
    """Write a model folder of LLaDA's or Dream's convention with a tokenizer, and return its network.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    family : {"llada", "dream"}
    template : str, optional
        A chat template; default: none.
    scale : float, default 1
        Factor of the weights of the output layer.
    mask_word : str, optional
        The word that the tokenizer declares as its mask; default: none, as in LLaDA.
    **settings
        Changes of ``config.json``; None removes an entry.
    """
    folder.mkdir(exist_ok=True, parents=True)
    shutil.copy(tiny_networks.__file__, folder / "tiny_networks.py")
    (folder / "modeling_tiny.py").write_text(CODE)
    architecture = {"llada": "LLaDAModelLM", "dream": "DreamModel"}[family]
    config = {
        "model_type": family,
        "architectures": [architecture],
        "auto_map": {"AutoConfig": "modeling_tiny.TinyConfig", "AutoModel": f"modeling_tiny.{architecture}"},
        "vocab_size": len(WORDS),
        "mask_token_id": MASK,
        "max_sequence_length": LONGEST,
    } | settings
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    torch.manual_seed(5)
    net = tiny_networks.LLaDA(SimpleNamespace(vocab_size=len(WORDS)))
    for weights in net.parameters():
        nn.init.normal_(weights, std=0.7)
    with torch.no_grad():
        net.ff_out.weight.mul_(scale)
    save_file({f"model.{name}": tensor for name, tensor in net.state_dict().items()}, folder / "model.safetensors")
    _write_tokenizer(folder, template, mask_word)
    return net.eval()


def _write_tokenizer(folder: Path, template: str | None, mask_word: str | None) -> None:
    tokenizers: Any = pytest.importorskip("tokenizers")
    transformers: Any = pytest.importorskip("transformers")
    (folder / "chat_template.jinja").unlink(missing_ok=True)  # of an earlier call
    words = {word: token for token, word in enumerate(WORDS)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens([*SPECIAL, "<|mdm|>"])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<|bos|>", unk_token="<unk>", mask_token=mask_word, chat_template=template
    ).save_pretrained(folder)
