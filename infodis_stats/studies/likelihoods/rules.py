"""Names of decoders in study files: a rule, and in parentheses its tokens per step and its block."""

from estimators import InputError
from estimators.masked.decoding.decoder import FIXED, Decoder
from estimators.masked.decoding.rules import SCORES
from estimators.names import number, parse
from infodis_stats.studies.design.toml import hint

__all__ = ["decoder"]

RULES = (*SCORES, *FIXED)
OPTIONS = ("tokens_per_step", "block")


def decoder(name: str) -> Decoder:
    """Return the decoder of a name.

    Raises
    ------
    InputError
        If there is no such rule, or a number is not a positive integer.

    Examples
    --------
    >>> decoder("entropy(tokens_per_step=2, block=4)")
    Decoder(rule='entropy', tokens_per_step=2, block=4)
    """
    parsed = parse(name)
    if parsed is None or parsed.plain not in RULES:
        near = hint(parsed.plain if parsed else name, RULES) or f"; there are {', '.join(RULES)}"
        raise InputError(f"there is no decoder {name!r}{near}")
    unknown = [*parsed.words, *(key for key in parsed.values if key not in OPTIONS)]
    if unknown:
        raise InputError(f"decoder {name!r} has no {unknown[0]}; it may have {'= and '.join(OPTIONS)}=")
    values = {key: number(f"decoder {name!r}", key, value, int) for key, value in parsed.values.items()}
    return Decoder(parsed.kind, **values)
