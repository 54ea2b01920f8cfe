"""The undecided questions of a task: how close their leaders are to their runners-up."""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from infodis_stats.harness.metrics import question_passes

__all__ = ["margins", "open_questions", "runners_up"]


def runners_up(part: xr.Dataset) -> NDArray[np.int64]:
    """Return the choice that is most likely the model's own answer if the leader is not, shape (question,).

    It is -1 where no error is known.

    Parameters
    ----------
    part : xarray.Dataset
        A task by one score.

    Examples
    --------
    >>> runners_up(xr.Dataset({"win": (("question", "choice"), [[0.3, 0.6, 0.1]]), "leader": ("question", [1])}))
    array([0])
    """
    win, leader = _wins(part)
    unknown = np.isnan(win[np.arange(len(win)), leader])
    win[np.arange(len(win)), leader] = -1.0
    return np.where(unknown, -1, win.argmax(axis=1))


def margins(part: xr.Dataset) -> NDArray[np.float64]:
    """Return the margins of the leaders over their runners-up in standard errors, shape (question,).

    They are normal quantiles of the chance of the leader against its runner-up, which accounts for the dependence of
    the choices' errors; infinite where the runner-up has no chance, NaN where no error is known.

    Parameters
    ----------
    part : xarray.Dataset
        A task by one score.

    Examples
    --------
    >>> win = [[0.84134, 0.15866], [1.0, 0.0]]
    >>> margins(xr.Dataset({"win": (("question", "choice"), win), "leader": ("question", [0, 0])})).round(2)
    array([ 1., inf])
    """
    win, leader = _wins(part)
    rows = np.arange(len(win))
    first, second = win[rows, leader], win[rows, runners_up(part)]
    share = np.divide(second, first + second, out=np.full(len(win), np.nan), where=first + second > 0)
    return np.asarray(-special.ndtri(share))  # from the smaller chance, which has more digits


def open_questions(data: xr.Dataset) -> pd.DataFrame:
    """List the undecided questions of a task, the closest first.

    Parameters
    ----------
    data : xarray.Dataset
        Of kind ``"choices"``, without failed questions.

    Returns
    -------
    DataFrame
        One row per question and score: ``question``, ``score``, ``leader``, whether it is ``right``, ``runner_up``,
        ``margin`` and ``margin_se`` in units of the score (nats, per character for ``acc_norm``), ``chance`` that the
        leader is the model's own answer, ``p_value`` of this claim, and ``passes``. The margin is NaN for scores that
        are not a likelihood over a size, and where no error is known: there is no runner-up then.
    """
    frames = [_of_score(data.sel(score=score), str(score)) for score in data["score"].values.tolist()]
    return pd.concat(frames, ignore_index=True).sort_values("chance", kind="stable", ignore_index=True)


def _of_score(whole: xr.Dataset, score: str) -> pd.DataFrame:
    gaps = _gaps(whole)
    undecided = ~whole["settled"].values.astype(bool)
    part = whole.isel(question=undecided)
    win, leader = _wins(part)
    gap, z = gaps[undecided], margins(part)
    error = np.full(gap.shape, np.nan)
    np.divide(gap, z, out=error, where=np.abs(z) > 1e-6)
    return pd.DataFrame(
        {
            "question": part["question"].values,
            "score": score,
            "leader": leader,
            "right": part["right"].values.astype(bool),
            "runner_up": runners_up(part),
            "margin": gap,
            "margin_se": error,
            "chance": np.where(np.isnan(z), np.nan, win[np.arange(len(win)), leader]),
            "p_value": part["p_value"].values,
            "passes": question_passes(part).values,
        }
    )


def _gaps(part: xr.Dataset) -> NDArray[np.float64]:
    """Return by how much the leaders are better than their runners-up; NaN where the score is of another kind."""
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = (part["nll"] / part["sizes"]).transpose("question", "choice").values
    rows, (_, leader), second = np.arange(len(cost)), _wins(part), runners_up(part)
    least = np.where(np.isnan(cost), np.inf, cost).argmin(axis=1)
    if (least != leader).any():  # as acc_mutual_info, which subtracts another likelihood
        return np.full(len(cost), np.nan)
    return np.where(second < 0, np.nan, cost[rows, second] - cost[rows, leader])


def _wins(part: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    win = part["win"].transpose("question", "choice").values
    known = ~np.isnan(win).all(axis=1, keepdims=True)
    return np.where(known, np.nan_to_num(win), np.nan), part["leader"].values.astype(np.int64)
