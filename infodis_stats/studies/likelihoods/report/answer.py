"""The answer of a study of likelihoods: which numbers may be compared with which."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from infodis_stats.plots.numbers import significant
from infodis_stats.studies.likelihoods.report.comparable import comparable
from infodis_stats.studies.view import Study

__all__ = ["answer", "ran", "signed_percent", "value_in_words"]

PUBLISHED = "published-"
MINUS = "\N{MINUS SIGN}"


def answer(study: Study) -> list[str]:
    """Return the findings: the sizes of the estimands, what published numbers compare with, and their spread."""
    return [_estimands(study.summary), _published(study.summary), *_spread(study.summary)]


def ran(summary: xr.Dataset, subject: str) -> xr.Dataset:
    """Return the part of a subject, with the estimands and estimators that were run on it."""
    part = summary.sel(subject=subject)
    return part.isel(estimand=part["bits"].notnull().values, estimator=part["bias"].notnull().values)


def signed_percent(share: float, digits: int = 2) -> str:
    """Return a share as a percentage with its sign.

    Examples
    --------
    >>> signed_percent(-0.0479), signed_percent(0.5), signed_percent(0.0)
    ('−4.8 %', '+50 %', '0 %')
    """
    sign = "+" if share > 0 else MINUS if share < 0 else ""
    return f"{sign}{significant(100 * abs(share), digits)} %"


def value_in_words(part: xr.Dataset) -> str:
    """Return the bits per token of one estimand of a subject, or both ends of its interval.

    Parameters
    ----------
    part : xarray.Dataset
        The summary of one estimand of one subject.
    """
    lower, upper = part["bits_ci"].values.tolist()
    if bool(part["exact"]):
        return significant(float(part["bits"]), 4)
    return f"{significant(lower, 4)} to {significant(upper, 4)}" if lower > 0 else f"at most {significant(upper, 4)}"


def _estimands(summary: xr.Dataset) -> str:
    parts = [ran(summary, name) for name in summary["subject"].values.tolist()]
    marginal = [float(part["difference"].sel(estimand="order-marginal")) for part in parts]
    others = [float(value) for part in parts for value in part["difference"].values[2:]]
    quoted = [f"the order-marginal value differs from the any-order value by {_ends(marginal)}"]
    quoted += [f"values of decoders and fixed orders by {_ends(others)}"] if others else []
    return f"Compare a likelihood only with numbers of the same estimand: for the same texts, {' and '.join(quoted)}."


def _ends(shares: list[float]) -> str:
    return " to ".join(dict.fromkeys(signed_percent(end) for end in (min(shares), max(shares))))


def _published(summary: xr.Dataset) -> str:
    good: set[str] = set()
    bad: dict[str, list[float]] = {}
    names = list(dict.fromkeys(summary["published_name"].values.tolist()))
    for subject in summary["subject"].values.tolist():
        part = ran(summary, subject)
        for label in part["estimator"].values.tolist():
            cell = part.sel(estimator=label)
            name, bias = str(cell["published_name"].item()), float(cell["bias"])
            if not name.startswith(PUBLISHED):
                continue
            decided = comparable(cell).any_order
            if decided is False:
                good.discard(name)
                bad.setdefault(name, []).append(bias)
            elif decided and name not in bad:
                good.add(name)
    words = []
    if good:
        known = _listed([name.removeprefix(PUBLISHED) for name in names if name in good])
        words.append(f"{known} may be compared with any-order values")
    if bad:
        others = _listed([name.removeprefix(PUBLISHED) for name in bad])
        span = _ends([bias for biases in bad.values() for bias in biases])
        may = "" if good else "may be compared "
        words.append(f"{others} {may}only with numbers from the same code at the same settings (bias {span})")
    return f"Of the published estimators, {'; '.join(words)}."


def _spread(summary: xr.Dataset) -> Iterator[str]:
    published = summary["published_name"].str.startswith(PUBLISHED).values
    noisy = summary["text_spread"].isel(estimator=published).max("subject")
    known = noisy.isel(estimator=(noisy > 0).values)
    if not known.size:
        return
    order = np.argsort(known.values)
    least, most = known.isel(estimator=int(order[0])), known.isel(estimator=int(order[-1]))
    yield (
        "With the passes that repositories spend, the number of one text has a relative standard deviation of "
        f"{significant(100 * float(least), 2)} % ({least['estimator'].item()}) to "
        f"{significant(100 * float(most), 2)} % ({most['estimator'].item()}): smaller differences between single texts "
        "are noise."
    )


def _listed(quotes: list[str]) -> str:
    *first, last = quotes
    return f"{', '.join(first)} and {last}" if first else last
