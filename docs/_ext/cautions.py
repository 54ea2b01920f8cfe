"""Every caution with its meaning, its verdict and what to do, from `infodis_stats.results.validity`."""

from infodis_stats.results.validity import CAUTIONS, NO_CLAIM


def generate() -> str:
    """Return Markdown with one entry for each caution, the most serious first."""
    entries = []
    for caution in CAUTIONS.values():
        claims = " `decide` makes no claim from such an interval." if caution.key in NO_CLAIM else ""
        sentence = caution.sentence[0].upper() + caution.sentence[1:]
        entries.append(
            f"`{caution.key}` ({caution.verdict})\n: {sentence}.{claims} **What to do:** {caution.advice}.\n"
        )
    return "\n".join(entries)
