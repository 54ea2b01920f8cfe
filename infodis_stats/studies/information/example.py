"""A study of information that runs in seconds."""

from typing import Any

__all__ = ["EXAMPLE"]

EXAMPLE: dict[str, Any] = {
    "kind": "information",
    "title": "Score entropies and masks on DNA of a Markov chain",
    "seed": 0,
    "passes": [8, 16],
    "replicates": 32,
    "estimators": ["uniform-count+stratified", "score-entropy(absorbing)+stratified", "score-entropy(uniform)"],
    "reference": "uniform-count+stratified",
    "subjects": [
        {
            "name": "Markov chain",
            "law": {"kind": "markov-chain", "alphabet": "ACGT", "order": 2, "seed": 0},
            "targets": [{"name": "12 symbols", "count": 4, "length": 12}],
        }
    ],
}
