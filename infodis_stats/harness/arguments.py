"""Arguments of the model that the harness calls, which may be written as text in its ``model_args``."""

import difflib
import inspect
from typing import Any

import torch

from estimators import InputError
from infodis_stats.estimates.questions import Budget
from infodis_stats.models import TextModel, check_text_model, load_model

__all__ = ["read_budget", "read_number", "read_text_model"]

ERROR = 0.01


def read_number(name: str, value: object, kind: type[int] | type[float]) -> Any:
    """Return a number that may be written as text, as in the harness' ``model_args``."""
    try:
        number = kind(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    right = int if kind is int else (int, float)
    if isinstance(number, bool) or not isinstance(number, right):
        raise InputError(f"{name} must be {'an integer' if kind is int else 'a number'}, got {value!r}")
    return number


def read_budget(error: object, passes: object, precision: object, most_passes: object) -> Budget:
    """Return the budget of a model's arguments: an error of 0.01 unless another kind is given."""
    given = {"error": error, "passes": passes, "precision": precision}
    chosen = [f"{name}={value}" for name, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise InputError(f"error, passes and precision exclude one another, got {' and '.join(chosen)}: choose one")
    if not chosen:
        given["error"] = ERROR
    return Budget(
        error=None if given["error"] is None else read_number("error", given["error"], float),
        passes=None if passes is None else read_number("passes", passes, int),
        precision=None if precision is None else read_number("precision", precision, float),
        most_passes=read_number("most_passes", most_passes, int),
    )


def read_text_model(
    model: str | TextModel | None,
    pretrained: str | TextModel | None,
    device: torch.device,
    options: dict[str, Any],
    takes: type,
) -> TextModel:
    """Return the model that one of two arguments gives, loaded with the options of `load_model`."""
    if (model is None) == (pretrained is None):
        which = "it is missing" if model is None else "both model= and pretrained= are given"
        raise InputError(f"the harness needs one model, such as pretrained=hf:FOLDER or pretrained=austen: {which}")
    chosen = pretrained if model is None else model
    known = [name for name, each in inspect.signature(load_model).parameters.items() if each.kind is each.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            own = [*inspect.signature(takes).parameters, *known]
            near = difflib.get_close_matches(name, own, n=1)
            raise InputError(
                f"there is no option {name!r} of an infodis model"
                + (f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(own))}")
            )
    if isinstance(chosen, str):
        return check_text_model(load_model(chosen, device=device, **options), chosen)
    for name in options:
        raise InputError(f"{name}= is an option of a model that is loaded by its name, but this one is an object")
    return check_text_model(chosen, type(chosen).__name__)
