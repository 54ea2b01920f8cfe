"""The entries of ``config.json`` that loading depends on: each has the type that it should have, or is absent."""

from collections.abc import Callable, Mapping
from typing import Any

from estimators import InputError

__all__ = ["BLOCK_SIZES", "LENGTHS", "NESTED", "checked_entries"]

LENGTHS = (
    "max_position_embeddings",
    "max_sequence_length",
    "model_length",
    "max_seq_len",
    "n_positions",
    "length",
)
BLOCK_SIZES = ("block_size", "bd_size", "block_length", "diffusion_block_size", "eval_block_size")
NESTED = ("model", "text_config")  # of RADD and SEDD, and of networks that also see images
DTYPES = ("float64", "double", "float32", "float", "bfloat16", "float16", "half", "auto")
CLASSES = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForMaskedLM")


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _references(value: Any) -> bool:
    # The tokenizer is a list of two.
    return isinstance(value, Mapping) and all(isinstance(value.get(name), str | None) for name in CLASSES)


def _dtype(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, str) and value.removeprefix("torch.") in DTYPES)


KINDS: tuple[tuple[str, Callable[[Any], bool], tuple[str, ...]], ...] = (
    (
        "an integer",
        _integer,
        ("vocab_size", "tokens", "mask_token_id", "n_langs", "num_random_blocks", *BLOCK_SIZES, *LENGTHS),
    ),
    (
        "true or false",
        lambda value: isinstance(value, bool),
        ("tie_word_embeddings", "time_conditioning", "is_encoder_decoder", "use_lang_emb"),
    ),
    ("float64, float32, bfloat16 or float16", _dtype, ("dtype", "torch_dtype")),
    ("a string", lambda value: isinstance(value, str), ("model_type", "dplm_type", "attention_type")),
    ("a list of class names", _names, ("architectures",)),
    ("a mapping from the classes of transformers to module.Class", _references, ("auto_map",)),
    (
        "the name of an attention in transformers, not code of the hub",
        lambda value: not isinstance(value, str) or "/" not in value,
        ("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
    ),
    ("a mapping", lambda value: isinstance(value, Mapping), ("quantization_config", "graph")),
)
ENTRIES = {name: (described, fits) for described, fits, names in KINDS for name in names}


def checked_entries(config: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    """Return a configuration without the entries that are null; those that loading does not read are kept as they are.

    Raises
    ------
    InputError
        For an entry of another type than it should have.

    Examples
    --------
    >>> checked_entries({"mask_token_id": None, "vocab_size": 11, "hidden_size": None})
    {'vocab_size': 11, 'hidden_size': None}
    """
    kept = {}
    for name, value in config.items():
        # Of transformers not every version reads a null as absent here.
        if name in ENTRIES and value is None and name != "auto_map":
            continue
        if name in ENTRIES and not ENTRIES[name][1](value):
            raise InputError(f"{parent}{name} in config.json must be {ENTRIES[name][0]}, got {value!r}")
        nested = not parent and name in NESTED and isinstance(value, Mapping)
        kept[name] = checked_entries(value, f"{name}.") if nested else value
    return kept
