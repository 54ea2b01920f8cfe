"""A comparison that runs in seconds."""

from typing import Any

__all__ = ["EXAMPLE"]

EXAMPLE: dict[str, Any] = {
    "kind": "comparison",
    "title": "Three estimators on DNA of a Markov chain",
    "seed": 1,
    "passes": [4, 16],
    "replicates": 32,
    "estimators": ["time-integral", "time-free", "uniform-count+stratified"],
    "reference": "time-free",
    "law": {"kind": "markov-chain", "alphabet": "ACGT", "order": 2, "seed": 0},
    "targets": [{"name": "12 symbols", "count": 8, "length": 12}, {"name": "24 symbols", "count": 8, "length": 24}],
}
