"""A calibration that runs in seconds."""

from typing import Any

__all__ = ["EXAMPLE"]

EXAMPLE: dict[str, Any] = {
    "kind": "calibration",
    "title": "Coverage of intervals on DNA of a Markov chain",
    "seed": 0,
    "passes": [8],
    "replicates": [4, 8],
    "draws": 800,
    "estimators": ["time-free", "uniform-count+stratified"],
    "subjects": [
        {
            "name": "Markov chain",
            "law": {"kind": "markov-chain", "alphabet": "ACGT", "order": 2, "seed": 0},
            "targets": [{"name": "12 symbols", "count": 4, "length": 12}],
        }
    ],
}
