"""A study of blocks that runs in seconds."""

from typing import Any

__all__ = ["EXAMPLE"]

EXAMPLE: dict[str, Any] = {
    "kind": "blocks",
    "title": "Single draws and blocks of a block-diffusion model",
    "seed": 0,
    "single": ["time-integral(eps=0.001)", "time-integral(eps=0.001)+stratified"],
    "draws": 20,
    "estimators": ["auto", "uniform-count+stratified"],
    "passes": [1, 4],
    "replicates": 4,
    "subjects": [
        {
            "name": "blocks of 4",
            "model": {"name": "austen-block4"},
            "targets": [
                {
                    "name": "sentences",
                    "sequences": [
                        "She had been forced into prudence in her youth, she learned romance as she grew older.",
                        "He was a man of sense and education, and his sister wished him to be happily married.",
                    ],
                }
            ],
        }
    ],
}
