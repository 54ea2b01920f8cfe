"""Networks in study files: the ``[model]`` table."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from infodis_stats.studies.design.toml import Text, TomlTable

__all__ = ["ModelSpec"]


def _beside(name: object, info: ValidationInfo) -> object:
    """Resolve files and folders relative to the folder of the document."""
    if not isinstance(name, str) or not info.context:
        return name
    kind, colon, path = name.rpartition(":")
    beside = info.context["folder"] / path
    return f"{kind}{colon}{beside}" if path and _exists(beside) else name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have
        return False


class ModelSpec(TomlTable):
    """A network by its name, as `load_model` takes it."""

    name: Annotated[Text, BeforeValidator(_beside)]
    family: Text | None = None
    tokenizer: Annotated[Text, BeforeValidator(_beside)] | None = None
    trust_remote_code: bool = False
