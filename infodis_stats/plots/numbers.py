"""Formatting of numbers: significant digits, intervals and percentages."""

import math

__all__ = ["band", "percent", "significant"]


def significant(value: float, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits, without an exponent where that is readable.

    Examples
    --------
    >>> [significant(value) for value in (0.012345, 3.0, 1234.5, 2.5e-9, float("nan"), float("inf"), 0.0)]
    ['0.0123', '3.00', '1230', '2.50e-09', '–', '∞', '0']
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if exponent < -4 or exponent > 5:
        return f"{value:.{digits - 1}e}"
    if exponent >= digits:
        return str(round(value, digits - 1 - exponent)).removesuffix(".0")
    return f"{value:.{digits - 1 - exponent}f}"


def band(value: float, lower: float, upper: float, digits: int = 3) -> str:
    """Return a value with its interval.

    Examples
    --------
    >>> band(12.34, 10.06, 15.0), band(1.0, 1.0, 1.0)
    ('12.3 [10.1, 15.0]', '1.00')
    """
    if lower == upper or math.isnan(value):
        return significant(value, digits)
    return f"{significant(value, digits)} [{significant(lower, digits)}, {significant(upper, digits)}]"


def percent(value: float) -> str:
    """Return a share as a percentage with one decimal.

    Examples
    --------
    >>> percent(0.9486), percent(float("nan"))
    ('94.9', '–')
    """
    return "–" if math.isnan(value) else f"{100 * value:.1f}"
