"""Groups of tasks: their tasks, and the weights with which the harness averages them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["ordered_entries", "task_weights", "tasks_of_group"]


def tasks_of_group(results: Mapping[str, Any], group: str) -> list[str]:
    """Return the tasks of a group of the harness' results, also those of its subgroups.

    Examples
    --------
    >>> tasks_of_group({"group_subtasks": {"all": ["hard", "arc"], "hard": ["maths", "physics"]}}, "all")
    ['maths', 'physics', 'arc']
    """
    children = results.get("group_subtasks", {})
    parts = [tasks_of_group(results, child) if child in children else [child] for child in children.get(group, [])]
    return list(dict.fromkeys(name for part in parts for name in part))


def task_weights(results: Mapping[str, Any], group: str, metric: str, tasks: Sequence[str]) -> list[float] | None:
    """Return the weights of tasks in a group's metric: in proportion to their sizes, or equal.

    The harness' results do not state its option ``weight_by_size``. The weights are those that reproduce the group's
    value and, where both do, its standard error.

    Parameters
    ----------
    results : mapping
        What `lm_eval.simple_evaluate` returns.
    group, metric : str
        The metric with its filter, such as ``"acc,none"``.
    tasks : sequence of str
        All tasks of the group; each has the metric.

    Returns
    -------
    list of float or None
        With sum 1; None if the group's value is neither of the two means.

    Examples
    --------
    >>> entries = {"a": {"acc,none": 0.5, "sample_len": 10}, "b": {"acc,none": 0.8, "sample_len": 30}}
    >>> for value in (0.725, 0.65, 0.7):
    ...     groups = {"all": {"acc,none": value}}
    ...     print(task_weights({"results": entries, "groups": groups}, "all", "acc,none", ["a", "b"]))
    [0.25, 0.75]
    [0.5, 0.5]
    None
    """
    entries, whole = [results["results"][task] for task in tasks], results["groups"][group]
    name, _, filtered = metric.partition(",")
    sizes = np.array([entry.get("sample_len", 0) for entry in entries], dtype=np.float64)
    values = np.array([entry[metric] for entry in entries], dtype=np.float64)
    errors = [entry.get(f"{name}_stderr,{filtered}") for entry in entries]
    candidates = [np.full(len(sizes), 1 / len(sizes))]
    if sizes.all():
        candidates.insert(0, sizes / sizes.sum())
    fitting = [weights for weights in candidates if np.isclose(weights @ values, whole[metric], rtol=1e-9, atol=1e-12)]
    stated = whole.get(f"{name}_stderr,{filtered}")
    if len(fitting) > 1 and isinstance(stated, float) and all(isinstance(error, float) for error in errors):
        equal = np.sqrt(np.square(np.array(errors, dtype=np.float64)).sum()) / len(errors)
        fitting = fitting[1:] if np.isclose(equal, stated, rtol=1e-9) else fitting[:1]
    return None if not fitting else [float(weight) for weight in fitting[0]]


def ordered_entries(results: Mapping[str, Any], section: str) -> list[tuple[str, int]]:
    """Return the names in a section of the results with their depths, each group before its tasks.

    Examples
    --------
    >>> tree = {"all": ["b", "a"]}
    >>> ordered_entries({"results": {"a": {}, "b": {}, "c": {}, "all": {}}, "group_subtasks": tree}, "results")
    [('all', 0), ('a', 1), ('b', 1), ('c', 0)]
    """
    children = results.get("group_subtasks", {})
    below = {child for names in children.values() for child in names}
    placed: dict[str, int] = {}

    def place(name: str, depth: int) -> None:
        placed.setdefault(name, depth)
        for child in sorted(children.get(name, [])):
            place(child, depth + 1)

    for name in [*sorted(set(children) - below), *sorted(set(results[section]) - below - set(children))]:
        place(name, 0)
    return [(name, depth) for name, depth in placed.items() if name in results[section]]
