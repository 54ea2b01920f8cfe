"""What is used of lm-eval; without it, importing this module raises `InputError`."""

from estimators import InputError

try:
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.api.registry import register_model
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import handle_non_serializable
except ModuleNotFoundError as error:
    raise InputError(
        f"tasks of lm-evaluation-harness need lm-eval (there is no module {error.name}): "
        'pip install "infodis-stats[harness]"'
    ) from error

__all__ = ["LM", "TaskManager", "handle_non_serializable", "register_model", "simple_evaluate"]
