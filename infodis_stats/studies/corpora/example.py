"""A comparison of corpora that runs in seconds."""

from typing import Any

__all__ = ["EXAMPLE"]

EXAMPLE: dict[str, Any] = {
    "kind": "corpora",
    "title": "Sentences against their words in another order",
    "seed": 0,
    "passes": [4, 16],
    "replicates": 8,
    "estimator": "uniform-count+stratified",
    "reference": "sentences",
    "model": {"name": "austen"},
    "corpora": [
        {
            "name": "sentences",
            "sequences": [
                "She had been forced into prudence in her youth, she learned romance as she grew older.",
                "The evening was spent in quiet conversation, and they parted as the best of friends.",
                "He was a man of sense and education, and his sister wished him to be happily married.",
                "It was a delightful visit; perfect, in being much too short.",
                "Nothing could be more amiable than her manner to every one in the room.",
                "They walked together to the village, and talked of the ball the whole way.",
            ],
            "maps": 1,
        },
        {
            "name": "words in another order",
            "sequences": [
                "Romance had older. forced prudence she her been learned youth, she into grew as She in",
                "Parted evening conversation, spent the in of and quiet best was they the as friends. The",
                "Education, a happily man wished to sense married. be was and and his of He him sister",
                "Perfect, much delightful visit; short. too being a It in was",
                "Amiable in Nothing the room. more be than every could her one manner to",
                "Talked village, ball They and the together to walked of the way. whole the",
            ],
        },
    ],
}
