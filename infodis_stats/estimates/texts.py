"""Likelihoods of texts, one row per record; long records are scored in windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import Estimator, InputError, make_pairs, make_targets
from estimators.evaluate import Progress
from estimators.model import needs_context
from infodis_stats.estimates.contest import Contest
from infodis_stats.estimates.labelled_errors import labelled_errors
from infodis_stats.estimates.log_ratio import log_ratio_of
from infodis_stats.estimates.nll import nll_of
from infodis_stats.estimates.pipeline import estimate
from infodis_stats.estimates.precision import PRECISION_VARIABLES
from infodis_stats.estimates.ranking import rank_candidates
from infodis_stats.estimates.settings import Device, Execution, IntervalRequest, SamplingPlan
from infodis_stats.io.records import Record, TextPairs, Texts, as_answers, as_pairs, as_records
from infodis_stats.models import TextModel, check_text_model, conditioned_alternatives, encoded_alternatives
from infodis_stats.results.error_bars import NO_BAR, ErrorBar, sum_of
from infodis_stats.results.labels import Variable, bars_of, describe, replicates_dataset

__all__ = ["Window", "estimate_text_ratios", "estimate_texts", "rank_texts", "text_contest", "windows"]

VARIABLES = {
    "windows": Variable("1", "windows in which the record was scored"),
}


Per = Literal["none", "token", "byte"]
"""What the negative log-likelihoods of answers are divided by."""

UNITS: tuple[Per, ...] = get_args(Per)


@dataclass(frozen=True, eq=False)
class Window:
    """A piece of a record that fits the model: its first ``context`` tokens are given, and its last ``after``."""

    tokens: NDArray[np.int64]
    context: int
    after: int = 0

    @property
    def given(self) -> NDArray[np.bool_]:
        """Whether each token is given."""
        position = np.arange(len(self.tokens))
        return (position < self.context) | (position >= len(self.tokens) - self.after)


def windows(prompt: NDArray[np.int64], response: NDArray[np.int64], longest: int, overlap: int | None) -> list[Window]:
    """Cut a record into windows whose conditional likelihoods multiply to the response's.

    Parameters
    ----------
    prompt, response : arrays of int64
    longest : int
        Maximum number of tokens in a window.
    overlap : int or None
        Tokens given before the first scored token of each further window; earlier tokens are dropped. None: the
        whole record must fit.

    Returns
    -------
    list of Window
        Every token of the response is scored in exactly one window.

    Raises
    ------
    InputError
        If the response is empty, the record does not fit and there is no overlap, or the overlap leaves no room.

    Examples
    --------
    >>> import numpy as np
    >>> [(window.tokens.tolist(), window.context) for window in windows(np.arange(1), np.arange(1, 6), 4, overlap=2)]
    [([0, 1, 2, 3], 1), ([2, 3, 4, 5], 2)]
    """
    if not len(response):
        raise InputError("the response has no tokens, there is nothing to score")
    tokens = np.concatenate([prompt, response])
    if len(tokens) <= longest:
        return [Window(tokens, len(prompt))]
    if overlap is None:
        raise InputError(
            f"prompt and response have {len(tokens)} tokens and the model takes {longest}; "
            "give an overlap to score it in windows"
        )
    if not 0 <= overlap < longest:
        raise InputError(f"overlap must be at least 0 and below the model's {longest} tokens, got {overlap}")
    # A prompt that fits is kept whole; of a longer prompt, the last ``overlap`` tokens are kept.
    start = max(0, len(prompt) - overlap) if len(prompt) >= longest else 0
    pieces, scored = [], len(prompt)
    while scored < len(tokens):
        stop = min(start + longest, len(tokens))
        pieces.append(Window(tokens[start:stop], scored - start))
        scored, start = stop, max(0, stop - overlap)
    return pieces


def estimate_texts(
    model: TextModel,
    records: Texts,
    estimator: str | Estimator = "auto",
    *,
    overlap: int | None = None,
    passes: int = 16,
    replicates: int = 8,
    precision: float | str | None = None,
    most_passes: int = 4096,
    seed: int = 0,
    level: float = 0.95,
    interval: str = "auto",
    simultaneous: bool = False,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate ``-log p(response | prompt)`` of each record, with a confidence interval.

    Parameters
    ----------
    model : TextModel
        As returned by `load_model`.
    records : sequence of Record, or of others
        As returned by `read_records`; or strings, tuples ``(prompt, response)``, dictionaries with the keys of its JSON
        objects, or a pandas Series or DataFrame of these.
    overlap : int, optional
        Records longer than the model's limit are scored in windows, each given this many tokens before it; not under
        guidance.
    estimator, passes, replicates, precision, most_passes, seed, level, interval, simultaneous
        As in `estimate_nll`; ``passes`` is for each window. A precision needs records of one window.
    batch_size, device, progress
        As in `estimate_nll`.

    Returns
    -------
    xarray.Dataset
        As `estimate_nll`'s, over ``sequence`` (the records' names), with ``bytes`` (UTF-8) and ``words`` (separated by
        white space) of the responses, and the NLL in bits per scored token, byte and word: ``bits_per_token``,
        ``bits_per_byte``, ``bits_per_word (sequence)``, each with ``_ci (sequence, ci_bound)``.

    Raises
    ------
    InputError, ModelError
        If a record does not fit, or an argument is wrong; the message names the record.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: the likelihood of a
    response given a prompt (Equation 17, Theorem 4.2).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> records = [ids.Record("opening", "It is a truth ", "universally acknowledged")]
    >>> result = ids.estimate_texts(ids.load_model("austen"), records, passes=4, replicates=2)
    >>> int(result["length"][0])
    24
    """
    check_text_model(model, type(model).__name__)
    records = as_records(records)
    pieces: list[Window] = []
    owners: list[int] = []
    for owner, record in enumerate(records):
        parts = _pieces(model, record, overlap)
        if needs_context(model) and len(parts) > 1:
            raise InputError(
                f"{record.name!r}: guidance masks the prompt, which only the first of the {len(parts)} windows of this "
                "record has; shorten the record, or load the model without guidance"
            )
        if precision is not None and len(parts) > 1:
            raise InputError(f"{record.name!r}: a precision needs records of one window, this one has {len(parts)}")
        pieces += parts
        owners += [owner] * len(parts)
    level_of_each = IntervalRequest(interval, level, simultaneous).level_of_each(len(records))
    given = [piece.given for piece in pieces]
    with labelled_errors([repr(records[owner].name) for owner in owners]):
        pieces_result = estimate(
            nll_of(model, make_targets([piece.tokens for piece in pieces], given), estimator, None),
            SamplingPlan(passes, replicates, seed, precision, most_passes),
            IntervalRequest(interval, level_of_each),
            Execution(batch_size, device, progress),
        )

    windows_of = np.bincount(owners, minlength=len(records))
    problems = _problems(pieces_result, owners, windows_of)

    def over_windows(values: NDArray[np.generic]) -> NDArray[np.float64]:
        total = np.zeros((len(records), *values.shape[1:]))
        np.add.at(total, owners, values)
        return total

    lengths, nlls = over_windows(pieces_result["length"].values), over_windows(pieces_result["nll"].values)
    record_bars: list[list[ErrorBar]] = [[] for _ in records]
    for owner, bar in zip(owners, bars_of(pieces_result, "nll"), strict=True):
        record_bars[owner].append(bar)
    result = replicates_dataset(
        "nll",
        over_windows(pieces_result["nll_replicate"].values),
        labels=("sequence", [record.name for record in records]),
        level=level,
        bars=[
            NO_BAR if problem else sum_of(bars, nll, level_of_each)
            for bars, nll, problem in zip(record_bars, nlls.tolist(), problems, strict=True)
        ],
        length=lengths.astype(np.int64),
        windows=windows_of,
        forward_passes=over_windows(pieces_result["forward_passes"].values).astype(np.int64),
        **{name: pieces_result[name].values for name in ("reached", "replicates") if name in pieces_result},
        **({"failed": problems} if any(problems) else {}),
    )
    responses = [record.response for record in records]
    result["bytes"] = "sequence", [len(response.encode(errors="surrogatepass")) for response in responses]
    result["words"] = "sequence", [len(response.split()) for response in responses]
    for unit, count in (("token", "length"), ("byte", "bytes"), ("word", "words")):
        counts = result[count].where(result[count] > 0)  # a blank response has no words
        result[f"bits_per_{unit}"] = result["nll"] / counts / np.log(2)
        result[f"bits_per_{unit}_ci"] = result["nll_ci"] / counts / np.log(2)
    result = describe(result, PRECISION_VARIABLES | VARIABLES)
    cautions = np.zeros((len(records), pieces_result.sizes["caution"]), dtype=bool)
    np.logical_or.at(cautions, owners, pieces_result["cautions"].values)
    result["cautions"] = (("sequence", "caution"), cautions, pieces_result["cautions"].attrs)
    result = result.assign_coords(caution=pieces_result["caution"])
    result.attrs = pieces_result.attrs | {"ci_prob": level, "ci_simultaneous": int(simultaneous)}
    return result


def _pieces(model: TextModel, record: Record, overlap: int | None) -> list[Window]:
    """Encode a record and cut it into windows; one with a suffix must fit whole."""
    ((tokens, given),) = encoded_alternatives(model, record.name, record.prompt, [record.response], record.suffix)
    scored = np.flatnonzero(~given)
    start, stop = int(scored[0]), int(scored[-1]) + 1
    if stop == len(tokens):
        try:
            return windows(tokens[:start], tokens[start:], model.longest, overlap)
        except InputError as error:
            raise InputError(f"{record.name!r}: {error}") from error
    if len(tokens) > model.longest:
        raise InputError(
            f"{record.name!r}: prompt, response and suffix have {len(tokens)} tokens and the model takes "
            f"{model.longest}; a record with a suffix cannot be scored in windows"
        )
    return [Window(tokens, start, len(tokens) - stop)]


def _problems(pieces: xr.Dataset, owners: Sequence[int], windows_of: NDArray[np.int64]) -> list[str]:
    """Return the first problem of each record's windows; empty where there is none."""
    problems = [""] * len(windows_of)
    if "failed" in pieces:
        starts = np.cumsum(windows_of) - windows_of
        for piece, (owner, problem) in enumerate(zip(owners, pieces["failed"].values.tolist(), strict=True)):
            if problem and not problems[owner]:
                where = f"window {piece - starts[owner] + 1} of {windows_of[owner]}, " if windows_of[owner] > 1 else ""
                problems[owner] = where + problem
    return problems


def estimate_text_ratios(
    model: TextModel,
    pairs: TextPairs,
    estimator: str | Estimator = "auto",
    *,
    coupled: bool = True,
    passes: int = 16,
    replicates: int = 8,
    precision: float | str | None = None,
    most_passes: int = 4096,
    seed: int = 0,
    level: float = 0.95,
    interval: str = "auto",
    simultaneous: bool = False,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate ``log p(first | prompt) - log p(second | prompt)`` of each pair, with a confidence interval.

    Parameters
    ----------
    model : TextModel
        As returned by `load_model`.
    pairs : sequence of TextPair, or of others
        As returned by `read_pairs`; or tuples ``(prompt, first, second)``, dictionaries with the keys of its JSON
        objects, or a pandas DataFrame of these; each must fit into the model.
    estimator, coupled, passes, replicates, precision, most_passes, seed, level, interval, simultaneous
        As in `estimate_log_ratio`.
    batch_size, device, progress
        As in `estimate_log_ratio`.

    Returns
    -------
    xarray.Dataset
        As `estimate_log_ratio`'s, over ``pair`` (their names).

    Raises
    ------
    InputError, ModelError
        If a pair does not fit, or an argument is wrong; the message names the pair.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: both responses
    with the same masks (Equation 18), given the prompt (Equation 17).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> pair = ids.TextPair("opening", "It is a truth ", "universally", "unxversally")
    >>> result = ids.estimate_text_ratios(ids.load_model("austen"), [pair], passes=4, replicates=4)
    >>> bool(result["log_ratio"][0] > 0)
    True
    """
    check_text_model(model, type(model).__name__)
    pairs = as_pairs(pairs)
    sides = [conditioned_alternatives(model, pair.name, pair.prompt, [pair.first, pair.second]) for pair in pairs]
    (firsts, given), (seconds, other) = (zip(*side, strict=True) for side in zip(*sides, strict=True))
    with labelled_errors([repr(pair.name) for pair in pairs]):
        items = make_pairs(firsts, seconds, given, second_context=other)
        result = estimate(
            log_ratio_of(model, items, estimator, None, coupled=coupled),
            SamplingPlan(passes, replicates, seed, precision, most_passes),
            IntervalRequest(interval, level, simultaneous),
            Execution(batch_size, device, progress),
        )
    return result.assign_coords(pair=[pair.name for pair in pairs])


def rank_texts(
    model: TextModel,
    prompt: str,
    answers: Sequence[str],
    estimator: str | Estimator = "auto",
    *,
    error: float = 0.05,
    per: Per = "none",
    passes: int = 16,
    replicates: int = 8,
    most_passes: int = 4096,
    seed: int = 0,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Find the likeliest of several answers to a prompt.

    Parameters
    ----------
    model : TextModel
        As returned by `load_model`.
    prompt : str
        May be empty.
    answers : sequence of str
        At least 2 different ones; a repeated answer is scored once.
    per : {"none", "token", "byte"}, default "none"
        Whether the sums of the answers are compared, or their means over scored tokens, or over their UTF-8 bytes.
    estimator, error, passes, replicates, most_passes, seed, batch_size, device, progress
        As in `rank_candidates`.

    Returns
    -------
    xarray.Dataset
        As `rank_candidates`'s; the candidates are the different answers, in their order. The attribute ``per`` is the
        unit.

    Raises
    ------
    InputError, ModelError
        If an answer does not fit, or an argument is wrong; the message names the answer.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> austen = ids.load_model("austen")
    >>> ids.rank_texts(austen, "It is a truth ", ["universally", "zniverselly"], passes=8)["leader"].item()
    'universally'
    """
    answers = list(dict.fromkeys(as_answers(answers)))
    if len(answers) < 2:
        raise InputError(f"a ranking needs at least 2 different answers, got {len(answers)}")
    tokens, given, sizes = _alternatives(model, " / ".join(answers), prompt, answers, per)
    result = rank_candidates(
        model,
        tokens,
        estimator,
        context=given,
        error=error,
        sizes=sizes,
        passes=passes,
        replicates=replicates,
        most_passes=most_passes,
        seed=seed,
        batch_size=batch_size,
        device=device,
        progress=progress,
    )
    result["leader"] = ((), answers[int(result["leader"])], result["leader"].attrs)
    return result.assign_coords(candidate=answers).assign_attrs(per=per)


def text_contest(model: TextModel, name: str, prompt: str, answers: Sequence[str], per: Per = "none") -> Contest:
    """Return the contest of different answers to a prompt, as `rank_texts` compares them.

    Parameters
    ----------
    model : TextModel
    name : str
        Names the question in messages.
    prompt, answers, per
        As in `rank_texts`; the answers are different.

    Raises
    ------
    InputError
        If an answer does not fit.
    """
    return Contest.of(*_alternatives(model, name, prompt, answers, per))


def _alternatives(
    model: TextModel, name: str, prompt: str, answers: Sequence[str], per: Per
) -> tuple[Sequence[NDArray[np.int64]], Sequence[NDArray[np.bool_]], list[int] | None]:
    # The tokens of each answer with the prompt, which of them are given, and the sizes of the answers.
    if not isinstance(per, str) or per not in UNITS:
        raise InputError(f"per must be one of {', '.join(UNITS)}, got {per!r}")
    check_text_model(model, type(model).__name__)
    tokens, given = zip(*conditioned_alternatives(model, name, prompt, answers), strict=True)
    sizes = {
        "none": None,
        "token": [int((~context).sum()) for context in given],
        "byte": [len(answer.encode()) for answer in answers],
    }[per]
    return tokens, given, sizes
