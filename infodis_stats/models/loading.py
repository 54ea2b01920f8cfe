"""Models by name: the bundled one, a file of ours, a Hugging Face folder, an exact law."""

from importlib import resources
from pathlib import Path

import torch

from estimators import InputError
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
    """Load a model that reads text.

    Parameters
    ----------
    name : str or Path
        ``"austen"``, the bundled character model of English prose; the path of a ``.safetensors`` file that
        ``infodis-stats train`` wrote; or ``"hf:"`` and a local folder or hub id in Hugging Face layout.
    device : torch.device or str, default "cpu"
        Where its weights go; give the same device to the estimate.
    family : str, optional
        Of a Hugging Face model, where its configuration does not tell; see `load_huggingface` for this and more.
    tokenizer : str or Path, optional
        Of a Hugging Face model, where it does not lie with the weights.
    trust_remote_code : bool, default False
        Whether a Hugging Face model may run the code that comes with it.

    Returns
    -------
    Denoiser or MaskedLanguageModel
        A `TextModel`: a ``ConditionalModel`` with ``encode``, ``decode`` and ``longest``.

    Raises
    ------
    InputError
        If there is no such model; says what would be one.
    StoreError
        If the file is absent, damaged or not ours.

    Examples
    --------
    >>> model = load_model("austen")
    >>> model.decode(model.encode("It is a truth"))
    'It is a truth'
    """
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
    raise InputError(f"there is no model {str(name)!r}; a model is 'austen', a .safetensors file, or hf:FOLDER_OR_ID")
