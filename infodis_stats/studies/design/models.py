"""Networks as a study file names them: the ``[model]`` table."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from infodis_stats.studies.design.toml import Table, Text

__all__ = ["ModelSpec"]


def _beside(name: object, info: ValidationInfo) -> object:
    """Find files and folders relative to the folder of the document."""
    if not isinstance(name, str) or not info.context:
        return name
    kind, colon, place = name.rpartition(":")
    beside = info.context["folder"] / place
    return f"{kind}{colon}{beside}" if place and _exists(beside) else name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have
        return False


class ModelSpec(Table):
    """A network by its name: what `load_model` takes."""

    name: Annotated[Text, BeforeValidator(_beside)]
    family: Text | None = None
    tokenizer: Annotated[Text, BeforeValidator(_beside)] | None = None
    trust_remote_code: bool = False
