"""A frontier that runs in seconds."""

from typing import Any

__all__ = ["EXAMPLE"]

EXAMPLE: dict[str, Any] = {
    "kind": "frontier",
    "title": "The best estimator by length and passes",
    "seed": 0,
    "passes": [4, 8, 16],
    "replicates": 32,
    "estimators": ["time-free", "uniform-count+stratified", "without-replacement", "block-chain"],
    "rivals": ["time-free"],
    "subjects": [
        {
            "name": "Markov chain",
            "law": {"kind": "markov-chain", "alphabet": "ACGT", "order": 2, "seed": 0},
            "targets": [
                {"name": "16 symbols", "count": 4, "length": 16},
                {"name": "32 symbols", "count": 4, "length": 32},
            ],
        },
        {
            "name": "hidden Markov law",
            "law": {"kind": "hidden-markov", "alphabet": "ACGT", "states": 4, "seed": 0},
            "targets": [{"name": "16 symbols", "count": 4, "length": 16}],
        },
    ],
}
