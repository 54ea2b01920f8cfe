"""Likelihoods of masked and discrete diffusion models, with trustworthy error bars.

All values are in nats. The public names of `estimators` are public here too.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from infodis_stats.lazy import attach

if TYPE_CHECKING:
    from estimators import *  # noqa: F403
    from infodis_stats.public import *  # noqa: F403

# Imported on first use: everything together takes seconds, and the command line's --help needs none of it.
_import_public, _, __all__ = attach(__name__, Path(__file__).with_name("public.pyi"))

__version__: str


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _import_public(name)
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  takes longer than --help

        return version("infodis-stats")
    if not name.startswith("_"):
        import estimators  # noqa: PLC0415  imports torch

        if name in estimators.__all__:
            return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    import estimators  # noqa: PLC0415  imports torch

    return sorted({*__all__, *estimators.__all__, "__version__"})
