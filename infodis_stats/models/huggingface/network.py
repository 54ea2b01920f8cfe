"""Networks, built by transformers or by code stored with the weights, with all weights loaded."""

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from estimators import InfodisError, InputError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface.compatibility import compatible, repaired_class, repaired_config, repaired_network
from infodis_stats.models.huggingface.family import Family
from infodis_stats.models.huggingface.folder import first_line
from infodis_stats.models.huggingface.remote_code import import_class
from infodis_stats.models.huggingface.weights import (
    Header,
    check_finite,
    check_keys,
    check_unquantised,
    load_weights,
    read_header,
    stored_dtype,
)

__all__ = ["DTYPES", "floating", "implemented", "network_class", "of_transformers", "read_network"]

COMPUTED = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
DTYPES = "float64, float32, bfloat16 and float16"
WITHOUT_HEAD = "AutoModel"  # in some checkpoints a model without its output head
DIFFUGPT = {"denoise_model.": "transformer.", "embed_tokens.": "transformer.wte."}
UPSTREAM = ("AntiBERTy",)  # a BertForMaskedLM with further heads
HEADS = ("AutoModelForMaskedLM", "AutoModelForCausalLM", WITHOUT_HEAD)


def network_class(config: Mapping[str, Any]) -> str | None:
    """Return the class in the code of a checkpoint that has the output head; None if it has no code.

    It is the class that ``architectures`` names, if ``auto_map`` has it; otherwise the entry for a masked or causal
    language model. If the only entry is ``AutoModel``, it may be a model without its head: then the class is the one
    that ``architectures`` names, in the same module.

    Examples
    --------
    >>> network_class({"architectures": ["Full"], "auto_map": {"AutoModel": "modeling.Bare"}})
    'modeling.Full'
    """
    references: Mapping[str, str | None] = config.get("auto_map", {})
    classes = {name: references[name] or "" for name in HEADS if references.get(name)}
    named = config.get("architectures", [])
    for reference in classes.values():
        if reference.rpartition(".")[2] in named:
            return reference
    if set(classes) == {WITHOUT_HEAD} and named:
        return f"{classes[WITHOUT_HEAD].rpartition('.')[0]}.{named[0]}"
    return next((classes[name] for name in HEADS if name in classes), None)


def implemented(config: Mapping[str, Any]) -> bool:
    """Return whether transformers itself has the network of a configuration."""
    names = importlib.import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING_NAMES
    return config.get("model_type") in names


def of_transformers(transformers: Any, config: Mapping[str, Any]) -> bool:
    """Return whether all architectures that a configuration names are classes of transformers, or none is named."""
    # TensorFlow and Flax had classes of their own.
    named = [name.removeprefix("TF").removeprefix("Flax") for name in config.get("architectures", [])]
    return all(name in UPSTREAM or hasattr(transformers, name) for name in named)


def read_network(
    transformers: Any,
    folder: Path,
    config: Mapping[str, Any],
    code: str | None,
    dtype: torch.dtype | None,
    *,
    family: Family,
) -> nn.Module:
    """Build a network and load all its weights.

    Parameters
    ----------
    transformers : module
    folder : Path
    config : mapping
        The content of ``config.json``.
    code : str or None
        The class of Python code in the folder, which is executed. None: transformers implements the network.
    dtype : torch.dtype, optional
        Dtype of the weights; None keeps the stored one.
    family : Family
        Whether the network that transformers implements is a causal language model instead of a masked one; and whether
        the network predicts in blocks, and so has to compute its attention by `scaled_dot_product_attention`.

    Raises
    ------
    StoreError
        If files are missing or damaged, contain pickled objects other than tensors, or do not agree with the network.
    InputError
        If the weights are quantised.
    """
    if config.get("transformers_weights") is not None:
        raise InputError(
            f"transformers_weights in config.json of {folder} names other weights: rename them to model.safetensors"
        )
    if config.get("quantization_config"):
        return _quantised_network(transformers, folder, config, code)
    try:
        header = read_header(folder)
        if code is not None:
            network = _network_with_code(transformers, folder, config, code, header, dtype, family)
            load_weights(network, header, folder)
        elif family.causal:
            network = _causal_network(transformers, folder, config, header, dtype)
        else:
            check_unquantised(header)
            network = _native_network(transformers, folder, config, dtype, header)
        check_finite(network, folder)
        return network
    except InfodisError:
        raise
    except Exception as error:  # third-party files and code may raise anything
        raise StoreError(f"the model in {folder} cannot be loaded: {first_line(error)}") from error


def _quantised_network(transformers: Any, folder: Path, config: Mapping[str, Any], code: str | None) -> nn.Module:
    """Load a quantised network through the library of its quantisation method, if transformers implements it."""
    method = dict(config["quantization_config"]).get("quant_method", "a method without a name")
    quantised = f"the weights in {folder} are quantised ({method})"
    if code is not None:
        raise InputError(
            f"{quantised}, and the network's own code would ignore their scales: use a checkpoint in bfloat16, or load "
            "the network with its authors' package and wrap it in MaskedLanguageModel"
        )
    try:
        network = _native_network(transformers, folder, config, None, {})
        if getattr(network, "hf_quantizer", None) is None:
            # transformers reads weights of an unknown method as if they were not quantised.
            raise InputError(
                f"{quantised}, a method that transformers {transformers.__version__} does not know; use one in bfloat16"
            )
        return network
    except InfodisError:
        raise
    except Exception as error:  # third-party libraries may raise anything
        raise InputError(
            f"{quantised}, and the library of this method cannot load them here: {first_line(error)}"
        ) from error


def _native_network(
    transformers: Any, folder: Path, config: Mapping[str, Any], dtype: torch.dtype | None, header: Header
) -> nn.Module:
    network: nn.Module
    network, loading = transformers.AutoModelForMaskedLM.from_pretrained(
        folder,
        config=_settings(transformers.CONFIG_MAPPING[config["model_type"]], folder, config),
        dtype=dtype or "auto",
        local_files_only=True,
        weights_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    check_keys(network, folder, loading["missing_keys"], loading["unexpected_keys"], header)
    return network


def _causal_network(
    transformers: Any, folder: Path, config: Mapping[str, Any], header: Header, dtype: torch.dtype | None
) -> nn.Module:
    """Build a causal language model of transformers; its weights may have the names that DiffuGPT gives them."""
    settings = _settings(transformers.CONFIG_MAPPING[config["model_type"]], folder, config)
    # The plain attention of GPT-2 ignores the attention mask in some versions.
    settings._attn_implementation = "sdpa"
    with _default_dtype(dtype or _dtype_of(settings, header)):
        network: nn.Module = transformers.AutoModelForCausalLM.from_config(settings)
    load_weights(network, header, folder, renamed=DIFFUGPT)
    return network


def _network_with_code(  # noqa: PLR0917
    transformers: Any,
    folder: Path,
    config: Mapping[str, Any],
    code: str,
    header: Header,
    dtype: torch.dtype | None,
    family: Family,
) -> nn.Module:
    # Newer versions of transformers can run model code written for older ones but not load its weights.
    try:
        with compatible(transformers):
            kind = repaired_class(import_class(folder, code))
            own = config.get("auto_map", {}).get("AutoConfig")
            config_class: Any = getattr(kind, "config_class", None) if own is None else import_class(folder, str(own))
            if config_class is None:
                raise StoreError(f"config.json in {folder} names no configuration class (AutoConfig in auto_map)")
            settings = repaired_config(_settings(config_class, folder, config), config)
            if family.block_sizes:
                settings._attn_implementation = settings.attn_backend = "sdpa"
            with _default_dtype(dtype or _dtype_of(settings, header)):
                network = repaired_network(_built(kind, settings))
    except InfodisError:
        raise
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "transformers", "torch"}:
            raise _failed(transformers, folder, error) from error
        # The stand-in for flash_attn has only what the families call.
        raise StoreError(
            f"the code of the model in {folder} needs the package {package}: pip install {package}"
        ) from error
    except Exception as error:  # third-party code may raise anything
        raise _failed(transformers, folder, error) from error
    return network


def _settings(kind: Any, folder: Path, config: Mapping[str, Any]) -> Any:
    """Return a configuration of a class with the entries that were checked, which may lack some of the file."""
    settings = kind.from_dict(dict(config))
    settings._name_or_path = str(folder)
    return settings


def floating(named: Any) -> torch.dtype | None:
    """Return a dtype of torch that networks can compute in, given it or its name; None for anything else."""
    dtype = getattr(torch, named.removeprefix("torch."), None) if isinstance(named, str) else named
    return dtype if dtype in COMPUTED else None


def _failed(transformers: Any, folder: Path, error: Exception) -> StoreError:
    return StoreError(
        f"the code of the model in {folder} failed ({type(error).__name__}: {first_line(error)}); "
        f"it may need a version of transformers other than {transformers.__version__}"
    )


def _built(kind: type, settings: Any) -> nn.Module:
    try:
        network: nn.Module = kind(settings)
    except (ValueError, ImportError) as error:
        # The code may have plain attention only, or ask for an attention whose package is missing.
        if "attention" not in str(error).lower() and "flash" not in str(error).lower():
            raise
        settings._attn_implementation = "eager"
        network = kind(settings)
    return network


def _dtype_of(settings: Any, header: Header) -> torch.dtype:
    """Return the dtype of the weights, which configurations such as that of LLaDA do not name."""
    named = getattr(settings, "dtype", None) or getattr(settings, "torch_dtype", None) or stored_dtype(header)
    dtype = floating(named)
    if dtype is None:
        raise InputError(f"config.json names {named!r} as the dtype of the weights, which is not one of {DTYPES}")
    return dtype


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
