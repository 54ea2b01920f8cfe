"""Loading of networks by name: a bundled model, a trained denoiser, a Hugging Face model, or a user's own."""

from __future__ import annotations

import importlib
import operator
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from estimators import InfodisError, InputError
from estimators.evaluate import available_device
from estimators.model import gives_ratios, prices_masks
from infodis_stats.models.denoisers import load_denoiser
from infodis_stats.models.huggingface import find_noised_family, load_huggingface, load_noised
from infodis_stats.models.huggingface.folder import first_line
from infodis_stats.models.text_model import TextModel

__all__ = ["BUNDLED", "HUGGING_FACE", "is_own", "load_model"]

BUNDLED = ("austen", "austen-bpe", "austen-block4", "austen-block16", "austen-uniform", "molecules")
"""The names of the bundled models."""

HUGGING_FACE = "hf:"
OF_MASKS = ("mask_id", "before", "after", "shifted", "exclude_mask", "guidance", "block_size")
IDENTIFIERS = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
OWN = re.compile(rf"(?P<module>{IDENTIFIERS}):(?P<object>{IDENTIFIERS})")


def load_model(
    name: str | Path,
    *,
    device: torch.device | str = "cpu",
    family: str | None = None,
    tokenizer: Any = None,
    mask_id: int | None = None,
    before: Sequence[int] | None = None,
    after: Sequence[int] | None = None,
    shifted: bool | None = None,
    exclude_mask: bool | None = None,
    guidance: float | None = None,
    block_size: int | None = None,
    dtype: torch.dtype | str | None = None,
    device_map: str | Mapping[str, Any] | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    allow_import: bool = False,
) -> TextModel:
    """Load a model that scores text.

    Parameters
    ----------
    name : str or Path
        A bundled model: ``"austen"``, of the characters of English prose, or its counterparts of subwords,
        ``"austen-bpe"``, of blocks of 4 and 16 characters, ``"austen-block4"`` and ``"austen-block16"``, and for
        uniform noise, ``"austen-uniform"``; or ``"molecules"``, of SMILES. Else the path of a ``.safetensors`` file
        written by ``infodis-stats train``; ``"hf:"`` followed by a local folder or hub id in Hugging Face layout; or
        ``"package.module:object"``, a model of your own: the object has the method ``token_nll(tokens, masked)``, or is
        a function or class that returns such a model when it is called without arguments.
    device : torch.device or str, default "cpu"
        Device of the weights; pass the same device to the estimation functions. A model of your own chooses its device.
    family, tokenizer, mask_id, before, after, shifted, exclude_mask, guidance, block_size, dtype, device_map, revision
        As in `load_huggingface`; only Hugging Face models have these options.
    trust_remote_code : bool, default False
        Whether to run Python code stored with a Hugging Face model.
    allow_import : bool, default False
        Whether to import, and so to run, the module of a model of your own.

    Returns
    -------
    TextModel
        `Denoiser`, `UniformDenoiser`, `MaskedLanguageModel`, `NoisedLanguageModel`, or a model of your own, which may
        lack the methods for text.

    Raises
    ------
    InputError
        If the name is none of these; an option does not apply to the model; a module of your own may not be imported,
        is missing, fails or contains no such model; or as in `load_huggingface`.
    StoreError
        If the file is missing, damaged or of another format.
    ModelError
        If a Hugging Face network cannot be called in the way of its family.

    Examples
    --------
    >>> model = load_model("austen")
    >>> model.decode(model.encode("It is a truth"))
    'It is a truth'
    """
    device, name = available_device(device), str(name)
    options = {
        "family": family,
        "tokenizer": tokenizer,
        "mask_id": mask_id,
        "before": before,
        "after": after,
        "shifted": shifted,
        "exclude_mask": exclude_mask,
        "guidance": guidance,
        "block_size": block_size,
        "dtype": dtype,
        "device_map": device_map,
        "revision": revision,
    }
    given = {option: value for option, value in options.items() if value is not None}
    if name.startswith(HUGGING_FACE):
        return _from_hub(name.removeprefix(HUGGING_FACE), given, trust_remote_code=trust_remote_code, device=device)
    for option in given:
        raise InputError(f"{option}= is an option of Hugging Face models (hf:FOLDER_OR_ID), but the model is {name!r}")
    if name in BUNDLED:
        with resources.as_file(resources.files("infodis_stats.models") / "bundled" / f"{name}.safetensors") as path:
            return load_denoiser(path).to(device)
    if Path(name).suffix == ".safetensors":
        return load_denoiser(name).to(device)
    if (Path(name) / "config.json").is_file():
        raise InputError(f"{name!r} is a Hugging Face model folder: use {HUGGING_FACE + name!r}")
    if not is_own(name):
        raise InputError(
            f"there is no model {name!r}; use {', '.join(map(repr, BUNDLED))}, a .safetensors file, hf:FOLDER_OR_ID, "
            "or package.module:object for a model of your own"
        )
    if not allow_import:
        raise InputError(f"{name!r} is a module of your own, which is imported only with allow_import=True")
    return cast("TextModel", _own_model(name))


def _from_hub(source: str, given: dict[str, Any], **options: Any) -> TextModel:
    noised = find_noised_family(source, family=given.get("family"), revision=given.get("revision"))
    if noised is None:
        return load_huggingface(source, **options, **given)
    for option in OF_MASKS:
        if option in given:
            raise InputError(f"{option}= is an option of masked models, but {source!r} is a score model ({noised})")
    return load_noised(source, **options, **{**given, "family": noised})


def is_own(name: str) -> bool:
    """Return whether a name is that of a model of the user's own, ``package.module:object``.

    Examples
    --------
    >>> is_own("my_models.large:model"), is_own("hf:org/large"), is_own("large.safetensors")
    (True, False, False)
    """
    return not name.startswith(HUGGING_FACE) and OWN.fullmatch(name) is not None


def _own_model(name: str) -> object:
    """Import a model; this executes its module."""
    module_name, _, path = name.partition(":")
    module = _imported(name, module_name)
    try:
        found: Any = operator.attrgetter(path)(module)
    except AttributeError as error:
        raise InputError(f"{name!r}: the module {module_name} has no object {path}") from error
    called = isinstance(found, type) or (callable(found) and not _is_model(found) and not isinstance(found, nn.Module))
    if called:
        try:
            found = found()
        except InfodisError:
            raise
        except Exception as error:  # the user's code may raise anything
            raise InputError(
                f"{name!r} failed when it was called without arguments ({type(error).__name__}: {first_line(error)})"
            ) from error
    if not _is_model(found):
        raise InputError(
            f"{name!r} {'returns' if called else 'is'} an object of type {type(found).__name__}, which is not a model: "
            "it needs the method token_nll(tokens, masked), -log p of each masked token in nats and 0 elsewhere"
        )
    return found


def _is_model(found: object) -> bool:
    return prices_masks(found) or gives_ratios(found)


def _imported(name: str, module: str) -> object:
    try:
        return importlib.import_module(module)
    except InfodisError:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or module
        if f"{module}.".startswith(f"{missing}."):
            raise InputError(
                f"{name!r}: there is no module {missing}: install it, or run in the folder that contains it"
            ) from error
        raise InputError(f"{name!r}: the module {module} needs the package {missing}: pip install {missing}") from error
    except Exception as error:  # the user's code may raise anything
        raise InputError(
            f"{name!r}: the module {module} failed while it was imported ({type(error).__name__}: {first_line(error)})"
        ) from error
