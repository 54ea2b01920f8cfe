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
from infodis_stats.models.huggingface.compatibility import compatible, repaired_config, repaired_network
from infodis_stats.models.huggingface.folder import first_line
from infodis_stats.models.huggingface.remote_code import import_class
from infodis_stats.models.huggingface.weights import (
    check_keys,
    check_unquantised,
    load_weights,
    stored_dtype,
    weight_files,
)

__all__ = ["implemented", "network_class", "read_network"]

WITHOUT_HEAD = "AutoModel"  # in some checkpoints, a model without its output head
DIFFUGPT = {"denoise_model.": "transformer.", "embed_tokens.": "transformer.wte."}
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
    classes = {name: str(reference) for name, reference in config.get("auto_map", {}).items() if name in HEADS}
    named = [str(name) for name in config.get("architectures") or []]
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


def read_network(
    transformers: Any,
    folder: Path,
    config: Mapping[str, Any],
    code: str | None,
    dtype: torch.dtype | None,
    *,
    causal: bool = False,
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
    causal : bool, default False
        Whether the network that transformers implements is a causal language model instead of a masked one.

    Raises
    ------
    StoreError
        If files are missing or damaged, contain pickled objects other than tensors, or do not agree with the network.
    InputError
        If the weights are quantised.
    """
    if config.get("quantization_config"):
        return _quantised_network(transformers, folder, config, code)
    files = weight_files(folder)
    try:
        check_unquantised(folder, files)
        if code is None:
            if causal:
                return _causal_network(transformers, folder, files, dtype)
            return _native_network(transformers, folder, dtype)
        network = _network_with_code(transformers, folder, config, code, files, dtype)
        load_weights(network, files, folder)
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
        network = _native_network(transformers, folder, None)
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


def _native_network(transformers: Any, folder: Path, dtype: torch.dtype | None) -> nn.Module:
    network: nn.Module
    network, loading = transformers.AutoModelForMaskedLM.from_pretrained(
        folder,
        dtype=dtype or "auto",
        local_files_only=True,
        weights_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    check_keys(network, folder, loading["missing_keys"], loading["unexpected_keys"])
    return network


def _causal_network(transformers: Any, folder: Path, files: list[Path], dtype: torch.dtype | None) -> nn.Module:
    """Build a causal language model of transformers; its weights may be named as in DiffuGPT."""
    settings = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    # The plain attention of GPT-2 ignores the attention mask in some versions.
    settings._attn_implementation = "sdpa"
    with _default_dtype(dtype or _dtype_of(settings, files)):
        network: nn.Module = transformers.AutoModelForCausalLM.from_config(settings)
    load_weights(network, files, folder, renamed=DIFFUGPT)
    return network


def _network_with_code(  # noqa: PLR0917
    transformers: Any,
    folder: Path,
    config: Mapping[str, Any],
    code: str,
    files: list[Path],
    dtype: torch.dtype | None,
) -> nn.Module:
    # Newer versions of transformers can run model code written for older ones but not load its weights.
    try:
        with compatible(transformers):
            kind = import_class(folder, code)
            own = config.get("auto_map", {}).get("AutoConfig")
            config_class: Any = getattr(kind, "config_class", None) if own is None else import_class(folder, str(own))
            if config_class is None:
                raise StoreError(f"config.json in {folder} names no configuration class (AutoConfig in auto_map)")
            settings = repaired_config(config_class.from_pretrained(folder, local_files_only=True), config)
            with _default_dtype(dtype or _dtype_of(settings, files)):
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


def _dtype_of(settings: Any, files: list[Path]) -> torch.dtype:
    """Return the dtype of the weights; some configurations, such as that of LLaDA, do not name it."""
    named = getattr(settings, "dtype", None) or getattr(settings, "torch_dtype", None) or stored_dtype(files)
    dtype = getattr(torch, named.removeprefix("torch."), None) if isinstance(named, str) else named
    if not isinstance(dtype, torch.dtype):
        raise InputError(f"config.json names {named!r} as the dtype of the weights, which torch does not have")
    return dtype


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
