"""The keys of study files, by the function that `infodis-stats schema` prints."""

from infodis_stats.studies import study_reference


def generate() -> str:
    """Return a Markdown reference of every key of every kind of study."""
    return study_reference()
