"""Likelihoods of masked and discrete diffusion models, with error bars one can trust.

All values are in nats. The public names of `estimators` are here too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from estimators import *  # noqa: F403
    from infodis_stats.consistency import order_gap, order_swaps
    from infodis_stats.diagnostics import Diagnosis, Verdict, diagnose
    from infodis_stats.estimates import (
        average,
        compare_variances,
        decide,
        estimate_log_ratio,
        estimate_model_log_ratio,
        estimate_nll,
        rank_candidates,
        split_budget,
    )
    from infodis_stats.files import StoreError
    from infodis_stats.information import estimate_information, exact_information
    from infodis_stats.loss_map import estimate_positions
    from infodis_stats.models import (
        Denoiser,
        DenoiserConfig,
        MaskedLanguageModel,
        TextModel,
        accelerated,
        load_huggingface,
        load_model,
    )
    from infodis_stats.oracles import HiddenMarkov, Law, MarkovChain, TableLaw
    from infodis_stats.records import Record, TextPair, read_pairs, read_records
    from infodis_stats.report import Summary, summary, write_diagnosis, write_report, write_scans
    from infodis_stats.scan import rank_substitutions, scan_substitutions
    from infodis_stats.sizes import estimate_sizes
    from infodis_stats.store import read_store, write_store
    from infodis_stats.studies import run_study
    from infodis_stats.texts import estimate_text_ratios, estimate_texts, rank_texts

# Names are imported on first use: all of them take seconds, and the command line's --help needs none.
_HOMES = {
    "Denoiser": "infodis_stats.models",
    "DenoiserConfig": "infodis_stats.models",
    "Diagnosis": "infodis_stats.diagnostics",
    "HiddenMarkov": "infodis_stats.oracles",
    "Law": "infodis_stats.oracles",
    "MarkovChain": "infodis_stats.oracles",
    "MaskedLanguageModel": "infodis_stats.models",
    "Record": "infodis_stats.records",
    "StoreError": "infodis_stats.files",
    "TableLaw": "infodis_stats.oracles",
    "TextModel": "infodis_stats.models",
    "TextPair": "infodis_stats.records",
    "Verdict": "infodis_stats.diagnostics",
    "accelerated": "infodis_stats.models",
    "average": "infodis_stats.estimates",
    "compare_variances": "infodis_stats.estimates",
    "decide": "infodis_stats.estimates",
    "diagnose": "infodis_stats.diagnostics",
    "estimate_information": "infodis_stats.information",
    "estimate_log_ratio": "infodis_stats.estimates",
    "estimate_model_log_ratio": "infodis_stats.estimates",
    "estimate_nll": "infodis_stats.estimates",
    "estimate_positions": "infodis_stats.loss_map",
    "estimate_sizes": "infodis_stats.sizes",
    "estimate_text_ratios": "infodis_stats.texts",
    "estimate_texts": "infodis_stats.texts",
    "exact_information": "infodis_stats.information",
    "load_huggingface": "infodis_stats.models",
    "load_model": "infodis_stats.models",
    "order_gap": "infodis_stats.consistency",
    "order_swaps": "infodis_stats.consistency",
    "rank_candidates": "infodis_stats.estimates",
    "rank_substitutions": "infodis_stats.scan",
    "rank_texts": "infodis_stats.texts",
    "read_pairs": "infodis_stats.records",
    "read_records": "infodis_stats.records",
    "read_store": "infodis_stats.store",
    "run_study": "infodis_stats.studies",
    "scan_substitutions": "infodis_stats.scan",
    "split_budget": "infodis_stats.estimates",
    "Summary": "infodis_stats.report",
    "summary": "infodis_stats.report",
    "write_diagnosis": "infodis_stats.report",
    "write_report": "infodis_stats.report",
    "write_scans": "infodis_stats.report",
    "write_store": "infodis_stats.store",
}

__all__ = [
    "Denoiser",
    "DenoiserConfig",
    "Diagnosis",
    "HiddenMarkov",
    "Law",
    "MarkovChain",
    "MaskedLanguageModel",
    "Record",
    "StoreError",
    "Summary",
    "TableLaw",
    "TextModel",
    "TextPair",
    "Verdict",
    "accelerated",
    "average",
    "compare_variances",
    "decide",
    "diagnose",
    "estimate_information",
    "estimate_log_ratio",
    "estimate_model_log_ratio",
    "estimate_nll",
    "estimate_positions",
    "estimate_sizes",
    "estimate_text_ratios",
    "estimate_texts",
    "exact_information",
    "load_huggingface",
    "load_model",
    "order_gap",
    "order_swaps",
    "rank_candidates",
    "rank_substitutions",
    "rank_texts",
    "read_pairs",
    "read_records",
    "read_store",
    "run_study",
    "scan_substitutions",
    "split_budget",
    "summary",
    "write_diagnosis",
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
