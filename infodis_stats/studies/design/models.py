"""Networks in study files: the ``[model]`` table."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo

from infodis_stats.models.loading import is_own
from infodis_stats.studies.design.toml import Text, TomlTable

__all__ = ["ModelSpec"]


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


Token = Annotated[int, Field(ge=0)]
Tokens = Annotated[tuple[Token, ...], Field(strict=False)]


class ModelSpec(TomlTable):
    """A network by its name and options, as `load_model` takes them.

    ``trust_remote_code`` says that the network needs Python code stored with its weights; only whoever runs the study
    can permit that.
    """

    name: Annotated[Text, BeforeValidator(_beside)]
    family: Text | None = None
    tokenizer: Annotated[Text, BeforeValidator(_beside)] | None = None
    mask_id: Token | None = None
    before: Tokens | None = None
    after: Tokens | None = None
    shifted: bool | None = None
    exclude_mask: bool | None = None
    guidance: Annotated[float, Field(ge=0)] | None = None
    dtype: Text | None = None
    device_map: Text | None = None
    revision: Text | None = None
    trust_remote_code: bool = False
