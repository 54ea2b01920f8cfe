"""Loading of networks by name: the bundled model, a trained denoiser, or a Hugging Face model."""

from importlib import resources
from pathlib import Path

import torch

from estimators import InputError
from estimators.evaluate import available_device
from infodis_stats.models.denoiser import Denoiser
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface

__all__ = ["load_model"]


def load_model(
    name: str | Path,
    *,
    device: torch.device | str = "cpu",
    family: str | None = None,
    tokenizer: str | Path | None = None,
    trust_remote_code: bool = False,
) -> Denoiser | MaskedLanguageModel:
    """Load a network that scores text.

    Parameters
    ----------
    name : str or Path
        ``"austen"``, the bundled character model of English prose; the path of a ``.safetensors`` file written by
        ``infodis-stats train``; or ``"hf:"`` followed by a local folder or hub id in Hugging Face layout.
    device : torch.device or str, default "cpu"
        Device of the weights; pass the same device to the estimation functions.
    family : str, optional
        Family of a Hugging Face model: ``llada``, ``dream``, ``mdlm``, ``radd``, ``sedd`` or ``bert``. Default: found
        from its configuration.
    tokenizer : str or Path, optional
        Folder or hub id of the tokenizer of a Hugging Face model, if it is not stored with the weights.
    trust_remote_code : bool, default False
        Whether to run Python code stored with a Hugging Face model.

    Returns
    -------
    Denoiser or MaskedLanguageModel
        A `TextModel`. `load_huggingface` has further options for Hugging Face models.

    Raises
    ------
    InputError
        If the name is none of these, or as in `load_huggingface`.
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
    device = available_device(device)
    if name == "austen":
        with resources.as_file(resources.files("infodis_stats.models") / "austen" / "austen.safetensors") as path:
            return Denoiser.load(path).to(device)
    if str(name).startswith("hf:"):
        source = str(name).removeprefix("hf:")
        return load_huggingface(
            source, family=family, tokenizer=tokenizer, trust_remote_code=trust_remote_code, device=device
        )
    path = Path(name)
    if path.suffix == ".safetensors":
        return Denoiser.load(path).to(device)
    raise InputError(f"there is no model {str(name)!r}; use 'austen', a .safetensors file, or hf:FOLDER_OR_ID")
