"""What a call asks for, checked: an estimator by name, enough replicates, rows for a call of the model."""

from estimators import Estimator, InputError, Model, registry
from infodis_stats.laws import Law

__all__ = ["check_replicates", "named_estimator", "rows_a_call"]

LAW_ROWS = 1024


def rows_a_call(model: Model | None, batch_size: int | None) -> int | None:
    """Return how many rows go into a call where nothing was asked for: more of an exact law than suit a network."""
    return LAW_ROWS if batch_size is None and isinstance(model, Law) else batch_size


def named_estimator(estimator: str | Estimator) -> Estimator:
    """Return the estimator of a name, or the estimator itself."""
    one = registry.estimator(estimator) if isinstance(estimator, str) else estimator
    if not isinstance(one, Estimator):
        raise InputError(f"an estimator or its name is needed, got {type(one).__name__}")
    return one


def check_replicates(replicates: int) -> None:
    """Refuse fewer replicates than an interval needs."""
    if replicates < 2:
        raise InputError(f"an interval needs at least 2 replicates, got {replicates}")
