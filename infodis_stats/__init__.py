"""Likelihoods of masked and discrete diffusion models, with error bars one can trust.

All values are in nats. The public names of `estimators` are here too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from estimators import *  # noqa: F403
    from infodis_stats.estimate import estimate_log_ratio, estimate_nll
    from infodis_stats.files import StoreError
    from infodis_stats.models import (
        Denoiser,
        DenoiserConfig,
        MaskedLanguageModel,
        TextModel,
        load_huggingface,
        load_model,
    )
    from infodis_stats.oracles import Law, MarkovChain, TableLaw
    from infodis_stats.records import Record, read_records
    from infodis_stats.report import write_report, write_scans
    from infodis_stats.scan import rank_substitutions, scan_substitutions
    from infodis_stats.store import read_store, write_store
    from infodis_stats.study import run_study
    from infodis_stats.texts import estimate_texts

# Names are imported on first use: all of them take seconds, and the command line's --help needs none.
_HOMES = {
    "Denoiser": "infodis_stats.models",
    "DenoiserConfig": "infodis_stats.models",
    "Law": "infodis_stats.oracles",
    "MarkovChain": "infodis_stats.oracles",
    "MaskedLanguageModel": "infodis_stats.models",
    "Record": "infodis_stats.records",
    "StoreError": "infodis_stats.files",
    "TableLaw": "infodis_stats.oracles",
    "TextModel": "infodis_stats.models",
    "estimate_log_ratio": "infodis_stats.estimate",
    "estimate_nll": "infodis_stats.estimate",
    "estimate_texts": "infodis_stats.texts",
    "load_huggingface": "infodis_stats.models",
    "load_model": "infodis_stats.models",
    "rank_substitutions": "infodis_stats.scan",
    "read_records": "infodis_stats.records",
    "read_store": "infodis_stats.store",
    "run_study": "infodis_stats.study",
    "scan_substitutions": "infodis_stats.scan",
    "write_report": "infodis_stats.report",
    "write_scans": "infodis_stats.report",
    "write_store": "infodis_stats.store",
}

__all__ = [
    "Denoiser",
    "DenoiserConfig",
    "Law",
    "MarkovChain",
    "MaskedLanguageModel",
    "Record",
    "StoreError",
    "TableLaw",
    "TextModel",
    "estimate_log_ratio",
    "estimate_nll",
    "estimate_texts",
    "load_huggingface",
    "load_model",
    "rank_substitutions",
    "read_records",
    "read_store",
    "run_study",
    "scan_substitutions",
    "write_report",
    "write_scans",
    "write_store",
]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES.get(name, "estimators"))
    if name not in home.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *import_module("estimators").__all__})
