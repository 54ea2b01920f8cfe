"""What tests of the harness share: requests, its tasks, and no network or cache of the user."""

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import infodis_stats as ids
from infodis_stats.models import TextModel

TASKS = Path(__file__).parents[2] / "reports" / "tasks"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep data sets out of the user's cache, and make sure that nothing was cached at all."""
    cache = tmp_path_factory.mktemp("cache")
    for name in ("HF_HOME", "HF_DATASETS_CACHE", "LM_HARNESS_CACHE_PATH"):
        monkeypatch.setenv(name, str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if find_spec("datasets"):
        for name in ("HF_DATASETS_CACHE", "HF_MODULES_CACHE", "DOWNLOADED_DATASETS_PATH"):
            monkeypatch.setattr(f"datasets.config.{name}", cache)
    yield cache
    assert not list(cache.rglob("*"))


@pytest.fixture(scope="session")
def austen() -> TextModel:
    return ids.load_model("austen")


@pytest.fixture(scope="session")
def subwords() -> TextModel:
    return ids.load_model("austen-bpe")


@pytest.fixture(scope="session")
def manager() -> Any:
    """The harness' manager of our tasks alone: an index of all that it has takes seconds."""
    tasks = pytest.importorskip("lm_eval.tasks", reason="the harness needs lm-eval")
    return tasks.TaskManager(include_path=str(TASKS), include_defaults=False)


@pytest.fixture
def asked() -> Callable[..., list[Any]]:
    """Make the requests of one document: pairs of context and continuation."""

    def make(pairs: Sequence[tuple[str, ...]], doc_id: int = 0, task: str = "task") -> list[Any]:
        return [
            SimpleNamespace(args=pair, idx=idx, doc={"id": doc_id}, task_name=task, doc_id=doc_id)
            for idx, pair in enumerate(pairs)
        ]

    return make
