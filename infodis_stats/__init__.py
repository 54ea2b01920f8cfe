"""Likelihoods of masked and discrete diffusion models, with error bars one can trust.

All values are in nats. The public names of `estimators` are here too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from estimators import *  # noqa: F403
    from infodis_stats.diagnostics import Diagnosis, Verdict, diagnose
    from infodis_stats.estimates import estimate_log_ratio, estimate_model_log_ratio, estimate_nll, rank_candidates
    from infodis_stats.estimates.information import estimate_information, exact_information
    from infodis_stats.estimates.mask_sizes import estimate_sizes
    from infodis_stats.estimates.order_gap import order_gap
    from infodis_stats.estimates.order_swaps import order_swaps
    from infodis_stats.estimates.positions import estimate_positions
    from infodis_stats.estimates.substitutions import rank_substitutions, scan_substitutions
    from infodis_stats.estimates.texts import estimate_text_ratios, estimate_texts, rank_texts
    from infodis_stats.inference.averages import average, split_budget
    from infodis_stats.inference.decisions import decide
    from infodis_stats.inference.variance_comparison import compare_variances
    from infodis_stats.io.files import StoreError
    from infodis_stats.io.records import Record, TextPair, read_pairs, read_records
    from infodis_stats.io.store import read_store, write_store
    from infodis_stats.laws import HiddenMarkov, Law, MarkovChain, TableLaw
    from infodis_stats.models import (
        Denoiser,
        DenoiserConfig,
        MaskedLanguageModel,
        TextModel,
        accelerated,
        load_huggingface,
        load_model,
    )
    from infodis_stats.report import Summary, summary, write_diagnosis, write_report, write_scans
    from infodis_stats.studies import run_study

# Names are imported on first use: all of them take seconds, and the command line's --help needs none.
_HOMES = {
    "Denoiser": "infodis_stats.models",
    "DenoiserConfig": "infodis_stats.models",
    "Diagnosis": "infodis_stats.diagnostics",
    "HiddenMarkov": "infodis_stats.laws",
    "Law": "infodis_stats.laws",
    "MarkovChain": "infodis_stats.laws",
    "MaskedLanguageModel": "infodis_stats.models",
    "Record": "infodis_stats.io.records",
    "StoreError": "infodis_stats.io.files",
    "TableLaw": "infodis_stats.laws",
    "TextModel": "infodis_stats.models",
    "TextPair": "infodis_stats.io.records",
    "Verdict": "infodis_stats.diagnostics",
    "accelerated": "infodis_stats.models",
    "average": "infodis_stats.inference.averages",
    "compare_variances": "infodis_stats.inference.variance_comparison",
    "decide": "infodis_stats.inference.decisions",
    "diagnose": "infodis_stats.diagnostics",
    "estimate_information": "infodis_stats.estimates.information",
    "estimate_log_ratio": "infodis_stats.estimates",
    "estimate_model_log_ratio": "infodis_stats.estimates",
    "estimate_nll": "infodis_stats.estimates",
    "estimate_positions": "infodis_stats.estimates.positions",
    "estimate_sizes": "infodis_stats.estimates.mask_sizes",
    "estimate_text_ratios": "infodis_stats.estimates.texts",
    "estimate_texts": "infodis_stats.estimates.texts",
    "exact_information": "infodis_stats.estimates.information",
    "load_huggingface": "infodis_stats.models",
    "load_model": "infodis_stats.models",
    "order_gap": "infodis_stats.estimates.order_gap",
    "order_swaps": "infodis_stats.estimates.order_swaps",
    "rank_candidates": "infodis_stats.estimates",
    "rank_substitutions": "infodis_stats.estimates.substitutions",
    "rank_texts": "infodis_stats.estimates.texts",
    "read_pairs": "infodis_stats.io.records",
    "read_records": "infodis_stats.io.records",
    "read_store": "infodis_stats.io.store",
    "run_study": "infodis_stats.studies",
    "scan_substitutions": "infodis_stats.estimates.substitutions",
    "split_budget": "infodis_stats.inference.averages",
    "Summary": "infodis_stats.report",
    "summary": "infodis_stats.report",
    "write_diagnosis": "infodis_stats.report",
    "write_report": "infodis_stats.report",
    "write_scans": "infodis_stats.report",
    "write_store": "infodis_stats.io.store",
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
