"""The keys of study files, by the function that `infodis-stats schema` prints."""

from infodis_stats.studies import study_reference


def generate(kind: str) -> str:
    """Return a Markdown reference of every key of a kind of study, without its first heading."""
    heading, _, text = study_reference(kind).partition("\n")
    assert heading.startswith("# "), heading
    return text
