"""Text records: the texts, pairs and questions to score, from files of several formats and from Python objects."""

from infodis_stats.io.records.kinds import Question, Record, TextPair
from infodis_stats.io.records.objects import (
    Text,
    TextPairs,
    Texts,
    as_answers,
    as_pairs,
    as_questions,
    as_record,
    as_records,
)
from infodis_stats.io.records.reading import (
    parse_pairs,
    parse_questions,
    parse_records,
    read_pairs,
    read_questions,
    read_records,
)

__all__ = [
    "Question",
    "Record",
    "Text",
    "TextPair",
    "TextPairs",
    "Texts",
    "as_answers",
    "as_pairs",
    "as_questions",
    "as_record",
    "as_records",
    "parse_pairs",
    "parse_questions",
    "parse_records",
    "read_pairs",
    "read_questions",
    "read_records",
]
