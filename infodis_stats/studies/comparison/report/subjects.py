"""Subjects against one another on the groups that they share: sentences and a table."""

from collections.abc import Iterator

import pandas as pd
import xarray as xr

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.numbers import band, significant
from infodis_stats.studies.view import Study

__all__ = ["subject_sentences", "subject_table"]


def subject_sentences(study: Study) -> list[str]:
    """Say how the variance of each subject compares with that of the first, at the largest number of passes."""
    return [
        _sentence(first, part, str(part["shared"].item()) if study["subjects"].sizes["shared"] > 1 else "")
        for first, *others in _shared(study)
        for part in others
        if bool(part["lead"].notnull())
    ]


def subject_table(study: Study) -> pd.DataFrame:
    """Return the value of each subject and its best estimator, one row per shared group and subject."""
    rows = []
    for parts in _shared(study):
        for part in parts:
            group, subject = (str(part[name].item()) for name in ("shared", "subject"))
            whole = study["subjects"].sel(shared=group, subject=subject)
            value, error = significant(float(part["value"]), 4), significant(float(part["value_se"]), 2)
            row = {
                "group": group,
                "subject": subject,
                "items": str(int(part["items"])),
                "mean (nats)": f"{value} ± {error}",
            }
            if bool(study["subjects"]["bits"].notnull().any()):
                known = bool(part["bits"].notnull())
                row["bits per position"] = significant(float(part["bits"]), 3) if known else "–"
            row[f"best at {counted(int(part['passes']), 'pass')}"] = str(part["best"].item()) or "–"
            row["sd (nats)"] = significant(float(part["best_variance"]) ** 0.5)
            for passes in whole["passes"].values.tolist():
                cell = whole.sel(passes=passes)
                row[f"× at {passes}"] = band(float(cell["lead"]), *cell["lead_ci"].values.tolist())
            rows.append(row)
    return pd.DataFrame(rows)


def _shared(study: Study) -> Iterator[list[xr.Dataset]]:
    """Yield the subjects of each shared group at the largest number of passes; none where they share no groups."""
    if "subjects" not in study:
        return
    last = study["subjects"].isel(passes=-1)
    for name in last["shared"].values.tolist():
        parts = [last.sel(shared=name, subject=subject) for subject in last["subject"].values.tolist()]
        yield [part for part in parts if bool(part["items"].notnull())]


def _sentence(first: xr.Dataset, part: xr.Dataset, group: str) -> str:
    lead, (lower, upper) = float(part["lead"]), part["lead_ci"].values.tolist()
    names = [f"{one['subject'].item()} ({one['best'].item()})" for one in (first, part)]
    where = f"{group}: " if group else ""
    at = f"{where}At {counted(int(part['passes']), 'pass')}"
    if lower <= 1 <= upper:
        return (
            f"{at} there is no significant difference between the variances of {names[1]} and {names[0]} "
            f"({band(lead, lower, upper)} times less), each estimate of its own model's value."
        )
    if lead < 1:
        names.reverse()
        lead, lower, upper = 1 / lead, 1 / upper, 1 / lower
    return (
        f"{at} {names[1]} has {band(lead, lower, upper)} times less variance than {names[0]}: the best of each, each "
        "estimate of its own model's value."
    )
