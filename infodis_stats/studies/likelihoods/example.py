"""A study of likelihoods that runs in seconds."""

from typing import Any

__all__ = ["EXAMPLE"]

EXAMPLE: dict[str, Any] = {
    "kind": "likelihoods",
    "title": "The likelihoods of a block-diffusion model, and published estimates of them",
    "seed": 0,
    "estimators": [
        {"name": "published-llada", "passes": 16, "batches": 8},
        {"name": "published-d1", "passes": 1},
    ],
    "samplers": ["confidence", "left-to-right"],
    "replicates": 50,
    "subjects": [
        {
            "name": "blocks of 4",
            "model": {"name": "austen-block4"},
            "targets": [
                {
                    "name": "sentences",
                    "sequences": [
                        "It was a delightful visit; perfect, in being much too short.",
                        "Nothing could be more amiable than her manner to every one.",
                    ],
                }
            ],
        }
    ],
}
