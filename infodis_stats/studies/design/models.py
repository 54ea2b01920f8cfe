"""Networks in study files: the ``[model]`` table."""

import reprlib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from infodis_stats.models.loading import BUNDLED, HUGGING_FACE, is_own
from infodis_stats.studies.design.toml import Text, TomlTable, hint

__all__ = ["ModelSpec"]

NAMES = ", ".join(map(repr, BUNDLED))


def _beside(name: object, info: ValidationInfo) -> object:
    """Resolve files and folders relative to the folder of the document."""
    if not isinstance(name, str) or not info.context or is_own(name):
        return name
    kind, colon, path = name.rpartition(":")
    beside = info.context["folder"] / path
    return f"{kind}{colon}{beside}" if path and _exists(beside) else name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have
        return False


def _known(name: str, info: ValidationInfo) -> str:
    """Refuse a name that is of no form that `load_model` takes, and stands for no model in memory."""
    bundled = name in BUNDLED or name.startswith(HUGGING_FACE) or name == (info.context or {}).get("object")
    if bundled or is_own(name) or Path(name).suffix == ".safetensors" or _exists(Path(name)):
        return name
    forms = f"; a model is {NAMES}, a .safetensors file, hf:FOLDER_OR_ID, or package.module:object of your own"
    raise ValueError(f"there is no model {reprlib.repr(name)}{hint(name, BUNDLED) or forms}")


Token = Annotated[int, Field(ge=0)]
Tokens = Annotated[tuple[Token, ...], Field(strict=False)]


class ModelSpec(TomlTable):
    """A network by its name and options, as `load_model` takes them; the options are of Hugging Face models."""

    name: Annotated[
        Text,
        BeforeValidator(_beside),
        AfterValidator(_known),
        Field(description=f"{NAMES}, a .safetensors file, hf:FOLDER_OR_ID, or package.module:object of your own"),
    ]
    family: Annotated[
        Text | None, Field(description="calling convention, such as 'llada'; default: recognised by the configuration")
    ] = None
    tokenizer: Annotated[
        Annotated[Text, BeforeValidator(_beside)] | None,
        Field(description="folder or hub id of the tokenizer; default: the stored one"),
    ] = None
    mask_id: Annotated[Token | None, Field(description="token id of the mask; default: the family's")] = None
    before: Annotated[
        Tokens | None, Field(description="ids of special tokens before every sequence; default: the family's")
    ] = None
    after: Annotated[
        Tokens | None, Field(description="ids of special tokens after every sequence; default: the family's")
    ] = None
    shifted: Annotated[
        bool | None,
        Field(description="whether the logits for a position are at the output before it; default: the family's"),
    ] = None
    exclude_mask: Annotated[
        bool | None, Field(description="whether the mask is excluded from the softmax; default: the family's")
    ] = None
    guidance: Annotated[
        Annotated[float, Field(ge=0)] | None,
        Field(description="scale of classifier-free guidance, which takes two forward passes per pass; default: none"),
    ] = None
    block_size: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="positions of a block of a network of block diffusion; default: that of its configuration"),
    ] = None
    dtype: Annotated[Text | None, Field(description="dtype of the weights, such as 'bfloat16'; default: as stored")] = (
        None
    )
    device_map: Annotated[
        Text | None, Field(description="distribution of the layers over devices, such as 'auto'; default: one device")
    ] = None
    revision: Annotated[Text | None, Field(description="commit, tag or branch of a hub model; default: the newest")] = (
        None
    )
    trust_remote_code: Annotated[
        bool,
        Field(
            description="whether it needs Python code stored with its weights; whoever runs the study must permit it"
        ),
    ] = False
