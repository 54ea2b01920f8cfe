"""What published model code expects but the installed libraries lack, supplied while it is imported and built."""

import contextlib
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["compatible", "repaired_class", "repaired_config", "repaired_network"]

Settings = TypeVar("Settings")

UNSET = {
    "output_attentions": False,
    "output_hidden_states": False,
    "return_dict": True,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
    "tie_word_embeddings": True,  # of configuration classes without a default of their own
}


@contextlib.contextmanager
def compatible(transformers: Any) -> Iterator[None]:
    """Supply the names that model code written for transformers 4.3x to 4.5x imports from the libraries.

    Only names that the installed versions lack are added, and they are removed on leaving.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # deprecations concern the authors of the code
        for module, name, value in _names(transformers):
            stack.enter_context(_attribute(importlib.import_module(module), name, value))
        rope = importlib.import_module("transformers.modeling_rope_utils").ROPE_INIT_FUNCTIONS
        stack.enter_context(_entry(rope, "default", default_rope))
        if importlib.util.find_spec("flash_attn") is None:
            stack.enter_context(_modules(flash_attention_modules()))
        yield


def _names(transformers: Any) -> list[tuple[str, str, Any]]:
    """Return the modules, names and values that version 5 of transformers no longer has."""
    keywords = getattr(importlib.import_module("transformers.utils"), "TransformersKwargs", dict)
    return [
        # A renamed type of keyword arguments; used in annotations only.
        ("transformers.utils", "LossKwargs", keywords),
        # Decides whether a module is wrapped for torch.fx; does not affect numbers.
        ("transformers.utils", "is_torch_fx_available", lambda: False),
        ("transformers.utils.import_utils", "is_torch_fx_available", lambda: False),
    ]


def default_rope(config: Any, device: Any = None, seq_len: int | None = None, **_: Any) -> tuple[Tensor, float]:
    """Return the inverse frequencies of rotary position embeddings without scaling, and the factor 1.

    Version 5 of transformers moved them from a common table into each model.
    """
    parameters = getattr(config, "rope_parameters", None) or {}
    base = parameters.get("rope_theta") or config.rope_theta
    factor = parameters.get("partial_rotary_factor") or getattr(config, "partial_rotary_factor", None) or 1.0
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    dim = int(width * factor)
    exponents = torch.arange(0, dim, 2, dtype=torch.int64).to(device=device, dtype=torch.float) / dim
    return 1.0 / (base**exponents), 1.0


def repaired_class(kind: type) -> type:
    """Remove a list of tied weights, for which version 5 of transformers expects a mapping; loading ties the head."""
    if isinstance(getattr(kind, "_tied_weights_keys", None), list):
        kind._tied_weights_keys = None  # type: ignore[attr-defined]  # of classes of transformers alone
    return kind


def repaired_config(settings: Settings, stored: Mapping[str, Any]) -> Settings:
    """Set what model code reads from its configuration and version 5 of transformers no longer sets.

    Parameters
    ----------
    settings : configuration of the network
    stored : mapping
        The content of ``config.json``.
    """
    settings.use_cache = False  # type: ignore[attr-defined] # every input is new, so a cache would only use memory
    if stored.get("rope_scaling") is None and getattr(settings, "rope_scaling", None):
        # Version 5 makes it an alias of rope_parameters, which is never empty; older code takes that for a scaling.
        settings.__class__ = type(type(settings).__name__, (type(settings),), {"rope_scaling": None})
    for name, value in UNSET.items():
        if not hasattr(settings, name):
            setattr(settings, name, value)
    return settings


def repaired_network(network: nn.Module) -> nn.Module:
    """Set what model code reads from the layers of transformers that it uses, and version 5 no longer sets."""
    kinds: Sequence[str] = getattr(getattr(network, "config", None), "layer_types", None) or ()
    for module in network.modules():
        # The code selects the attention mask of a layer by this attribute.
        if type(module).__name__.endswith("DecoderLayer") and not hasattr(module, "attention_type"):
            index: Any = getattr(getattr(module, "self_attn", None), "layer_idx", None)
            kind = kinds[index] if index in range(len(kinds)) else "full_attention"
            setattr(module, "attention_type", kind)  # noqa: B010 (a plain attribute of a module)
    return network


def flash_attention_modules() -> dict[str, ModuleType]:
    """Return stand-ins for the functions of flash_attn that model code calls: the same formulas on any device."""
    names = (
        "flash_attn",
        "flash_attn.flash_attn_interface",
        "flash_attn.layers",
        "flash_attn.layers.rotary",
        "flash_attn.ops",
        "flash_attn.ops.triton",
        "flash_attn.ops.triton.layer_norm",
    )
    modules = {name: ModuleType(name) for name in names}
    for name, module in modules.items():
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    functions = (flash_attn_varlen_qkvpacked_func, flash_attn_qkvpacked_func, flash_attn_func)
    for function in functions:
        for name in names[:2]:
            setattr(modules[name], function.__name__, function)
    for function in (apply_rotary_emb_torch, apply_rotary_emb_qkv_):  # type: ignore[assignment]
        setattr(modules["flash_attn.layers.rotary"], function.__name__, function)
    modules["flash_attn.ops.triton.layer_norm"].rms_norm_fn = rms_norm_fn  # type: ignore[attr-defined]  # of an empty module
    return modules


def rms_norm_fn(x: Tensor, weight: Tensor, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Return states (..., width) divided by their root mean square in float32, times the weights."""
    wide = x.float()
    normal = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps) * weight.float()
    return (normal if bias is None else normal + bias.float()).to(x.dtype)


def flash_attn_func(  # noqa: PLR0917 (the signature of flash_attn)
    q: Tensor, k: Tensor, v: Tensor, dropout_p: float = 0.0, softmax_scale: float | None = None, causal: bool = False
) -> Tensor:
    """Return the attention of queries, keys and values (batch, length, heads, width)."""
    q, k, v = (part.transpose(1, 2) for part in (q, k, v))
    mixed = functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout_p, is_causal=causal, scale=softmax_scale)
    return mixed.transpose(1, 2)


def flash_attn_qkvpacked_func(
    qkv: Tensor, dropout_p: float = 0.0, softmax_scale: float | None = None, causal: bool = False
) -> Tensor:
    """Return the attention of queries, keys and values packed into one tensor (batch, length, 3, heads, width)."""
    q, k, v = qkv.unbind(dim=2)
    return flash_attn_func(q, k, v, dropout_p, softmax_scale, causal)


def flash_attn_varlen_qkvpacked_func(  # noqa: PLR0917 (the signature of flash_attn)
    qkv: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
) -> Tensor:
    """Return the attention within concatenated sequences, packed (total, 3, heads, width)."""
    lengths = cu_seqlens.diff().tolist()
    parts = torch.split(qkv, lengths)
    return torch.cat([flash_attn_qkvpacked_func(part[None], dropout_p, softmax_scale, causal)[0] for part in parts])


def apply_rotary_emb_torch(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = False) -> Tensor:
    """Rotate the leading features of ``x`` (batch, length, heads, width) by angles (length, half of these features)."""
    if interleaved:
        raise NotImplementedError("interleaved rotary embeddings need the package flash_attn")
    turned = 2 * cos.shape[-1]
    cos, sin = (angle.unsqueeze(-2) for angle in (cos, sin))
    first, second = x[..., :turned].chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin, x[..., turned:]], dim=-1)


def apply_rotary_emb_qkv_(qkv: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = False) -> Tensor:
    """Rotate the queries and keys of a packed tensor (batch, length, 3, heads, width) in place."""
    for part in (0, 1):
        qkv[:, :, part] = apply_rotary_emb_torch(qkv[:, :, part], cos, sin, interleaved)
    return qkv


@contextlib.contextmanager
def _attribute(owner: object, name: str, value: object) -> Iterator[None]:
    if hasattr(owner, name):
        yield
        return
    setattr(owner, name, value)
    try:
        yield
    finally:
        delattr(owner, name)


@contextlib.contextmanager
def _entry(table: dict[str, Any], key: str, value: object) -> Iterator[None]:
    if key in table:
        yield
        return
    table[key] = value
    try:
        yield
    finally:
        del table[key]


@contextlib.contextmanager
def _modules(added: dict[str, ModuleType]) -> Iterator[None]:
    sys.modules.update(added)
    try:
        yield
    finally:
        for name in added:
            sys.modules.pop(name, None)
