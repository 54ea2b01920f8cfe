"""Models of the hub: from the local cache without asking, downloaded otherwise, pinned by a revision."""

import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from estimators import InputError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface import load_huggingface
from tests.support.checkpoints import rewrite, write_checkpoint

pytest.importorskip("transformers")
hub = pytest.importorskip("huggingface_hub")

NAME = "somebody/llada"
COMMIT, OTHER = "a" * 40, "b" * 40

Cached = Callable[..., Path]
Asked = list[tuple[str, str | None]]


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cached:
    """Put a snapshot into a separate cache, in the layout of the hub's client."""
    monkeypatch.setattr(importlib.import_module("huggingface_hub.constants"), "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    def put(name: str = NAME, commit: str = COMMIT, ref: str | None = "main", checkpoint: str = "llada") -> Path:
        repository = tmp_path / "cache" / f"models--{name.replace('/', '--')}"
        if ref is not None:
            (repository / "refs").mkdir(parents=True, exist_ok=True)
            (repository / "refs" / ref).write_text(commit)
        folder = repository / "snapshots" / commit
        write_checkpoint(folder, checkpoint)
        return folder

    return put


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Record the requests to the hub, which cannot be reached."""
    requests: Asked = []
    download = hub.snapshot_download

    def recorded(name: str, **settings: Any) -> str:
        if settings.get("local_files_only"):
            found: str = download(name, **settings)
            return found
        requests.append((name, settings.get("revision")))
        raise OSError("There is no connection.\nMaxRetryError")

    monkeypatch.setattr(hub, "snapshot_download", recorded)
    return requests


def test_a_model_in_the_cache_is_used_without_asking(cached: Cached, asked: Asked) -> None:
    cached()
    model = load_huggingface(NAME, trust_remote_code=True)
    assert (model.name, model.revision, model.mask_id) == ("llada", COMMIT, 10)
    assert load_huggingface(NAME, revision=COMMIT, trust_remote_code=True).fingerprint() == model.fingerprint()
    assert load_huggingface(NAME, revision="main", trust_remote_code=True).revision == COMMIT
    assert asked == []


def test_a_pinned_revision_in_the_cache_is_used_if_named(cached: Cached, asked: Asked) -> None:
    """A download of a commit leaves no branch in the cache."""
    cached(ref=None)
    assert load_huggingface(NAME, revision=COMMIT, trust_remote_code=True).revision == COMMIT
    assert asked == []
    with pytest.raises(
        StoreError,
        match=rf"its main branch is neither in the local cache nor available .* has {COMMIT}: specify it with",
    ):
        load_huggingface(NAME, trust_remote_code=True)
    assert asked == [(NAME, None)]


def test_the_error_names_all_commits_of_the_cache(cached: Cached, asked: Asked) -> None:
    cached(ref=None)
    cached(commit=OTHER, ref="v1")
    assert load_huggingface(NAME, revision="v1", trust_remote_code=True).revision == OTHER
    with pytest.raises(
        StoreError, match=rf"revision 'v2' is neither .* has {COMMIT}, {OTHER}: specify one of them with rev"
    ):
        load_huggingface(NAME, revision="v2", trust_remote_code=True)
    assert asked == [(NAME, "v2")]


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("kind", ["no weights", "a shard less", "no configuration"])
def test_an_incomplete_snapshot_is_completed_or_refused(
    kind: str, offline: bool, cached: Cached, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted download, or one of the configuration and the tokenizer only."""
    folder = cached()
    lacking = "config.json" if kind == "no configuration" else "the weights"
    (folder / ("config.json" if kind == "no configuration" else "model.safetensors")).unlink()
    if kind == "a shard less":
        index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        (folder / "model-1.safetensors").write_bytes(b"")
        lacking = "model-2.safetensors"
    reason = "There is no connection"
    if offline:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        reason = "HF_HUB_OFFLINE is set"
    with pytest.raises(
        StoreError, match=rf"{NAME}: its snapshot {COMMIT} in the local cache lacks {lacking}.*{reason}"
    ):
        load_huggingface(NAME, trust_remote_code=True)
    assert asked == ([] if offline else [(NAME, None)])


@pytest.mark.parametrize("other", ["pytorch_model.bin", "onnx", "model.safetensors"])
def test_another_index_does_not_make_a_snapshot_incomplete(other: str, cached: Cached, asked: Asked) -> None:
    index = json.dumps({"weight_map": {"a": "absent-1-of-2"}})
    (cached() / f"{other}.index.json").write_text(index)
    assert load_huggingface(NAME, trust_remote_code=True).mask_id == 10
    assert asked == []
    (cached() / "model.safetensors").unlink()
    with pytest.raises(StoreError, match=rf"lacks {'the weights' if other == 'onnx' else 'absent-1-of-2'}, which"):
        load_huggingface(NAME, trust_remote_code=True)


def test_offline_the_commits_of_the_cache_are_named_without_asking(
    cached: Cached, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cached(ref=None)
    with pytest.raises(StoreError, match=rf"the cache has {COMMIT}: specify it with revision="):
        load_huggingface(NAME, trust_remote_code=True)
    assert asked == []


def test_a_slash_at_the_end_of_a_name_does_not_matter(cached: Cached, asked: Asked) -> None:
    cached()
    assert load_huggingface(f"{NAME}/", trust_remote_code=True).name == "llada"
    assert asked == []


def test_an_adapter_in_the_cache_is_named_without_asking(cached: Cached, asked: Asked) -> None:
    folder = cached()
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    with pytest.raises(
        InputError, match=r"contains an adapter \(adapter_model.safetensors\): merge it into the weights"
    ):
        load_huggingface(NAME, trust_remote_code=True)
    assert asked == []


@pytest.mark.parametrize("safe", [True, False])
def test_pickles_are_downloaded_only_where_there_is_nothing_else(
    safe: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path / "bert", "bert")
    weights = tmp_path / "bert" / "model.safetensors"
    kept = load_file(weights)
    if not safe:
        weights.unlink()
    patterns = []

    def download(name: str, **settings: Any) -> str:
        if settings.get("local_files_only"):
            raise FileNotFoundError(name)
        patterns.append(any(pattern.endswith(".bin") for pattern in settings["allow_patterns"]))
        if patterns[-1]:
            torch.save(kept, tmp_path / "bert" / "pytorch_model.bin")
        return str(tmp_path / "bert")

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert load_huggingface("somebody/bert").mask_id == 4
    assert patterns == ([False] if safe else [False, True])


def test_a_damaged_index_in_the_cache_is_reported_as_such(cached: Cached, asked: Asked) -> None:
    folder = cached()
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{")
    with pytest.raises(StoreError, match=r"index.json is damaged: it does not map weights to files"):
        load_huggingface(NAME, trust_remote_code=True)
    assert asked == []


def test_a_model_that_is_not_cached_is_downloaded(
    cached: Cached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path / "bert", "bert")
    asked = []

    def download(name: str, **settings: Any) -> str:
        if settings.get("local_files_only"):
            raise FileNotFoundError(name)
        asked.append((name, settings["revision"]))
        if name == "nobody/nothing":
            raise OSError("404 Client Error.\nEntry not found")
        return str(tmp_path / "bert")

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert load_huggingface("somebody/bert", revision="abc123").mask_id == 4
    assert asked == [("somebody/bert", "abc123")]
    message = "nobody/nothing is neither a folder nor an available model on the Hugging Face hub: 404 Client Error.$"
    with pytest.raises(StoreError, match=message):
        load_huggingface("nobody/nothing")


def test_without_a_connection_nothing_is_downloaded(cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own client in offline mode."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(importlib.import_module("huggingface_hub.constants"), "HF_HUB_OFFLINE", True)
    folder = cached()
    assert load_huggingface(NAME, trust_remote_code=True).revision == folder.name
    with pytest.raises(
        StoreError, match="nobody/nothing is neither a folder nor an available model on the Hugging Face"
    ):
        load_huggingface("nobody/nothing")


@pytest.mark.parametrize("ref", ["main", None])
def test_code_of_another_repository_is_taken_from_the_cache(ref: str | None, cached: Cached, asked: Asked) -> None:
    """The folder is that of the main branch, or the only snapshot."""
    code, weights = cached("somebody/code", commit=OTHER, ref=ref), cached()
    expected = load_huggingface(NAME, trust_remote_code=True).fingerprint()
    auto_map = {
        "AutoConfig": "somebody/code--configuration_llada.LLaDAConfig",
        "AutoModel": "somebody/code--modeling_llada.LLaDAModelLM",
    }
    rewrite(weights, auto_map=auto_map)
    for path in weights.glob("*.py"):
        path.unlink()
    if ref is None:
        with pytest.raises(
            StoreError, match=r"is neither beside the weights nor available from somebody/code: There is no connection"
        ):
            load_huggingface(NAME, trust_remote_code=True)
        return
    found = load_huggingface(NAME, trust_remote_code=True)
    assert found.revision == COMMIT
    rewrite(weights, auto_map=json.loads((code / "config.json").read_text())["auto_map"])
    shutil.copytree(code, weights, dirs_exist_ok=True)
    assert load_huggingface(NAME, trust_remote_code=True).fingerprint() == expected
    assert asked == []


def test_the_other_repository_may_lack_the_file(cached: Cached, asked: Asked) -> None:
    cached("somebody/code", checkpoint="bert")
    weights = cached()
    (weights / "modeling_llada.py").unlink()
    rewrite(weights, auto_map={"AutoModelForCausalLM": "somebody/code--modeling_llada.LLaDAModelLM"})
    with pytest.raises(StoreError, match=r"modeling_llada.py, is neither beside the weights nor available from some"):
        load_huggingface(NAME, trust_remote_code=True)


@pytest.mark.parametrize("alone", [False, True])
def test_the_tokenizer_may_be_that_of_another_model_of_the_cache(alone: bool, cached: Cached, asked: Asked) -> None:
    """The snapshot of that model may consist of the tokenizer alone."""
    words = cached("somebody/words", checkpoint="bert")
    if alone:
        (words / "model.safetensors").unlink()
        (words / "config.json").unlink()
    folder = cached("somebody/bert", commit=OTHER, checkpoint="bert")
    for path in [*folder.glob("tokenizer*"), *folder.glob("vocab*"), *folder.glob("special*")]:
        path.unlink()
    model = load_huggingface("somebody/bert", tokenizer="somebody/words")
    assert (model.before, model.encode("the cat").tolist()) == ((2,), [5, 6])
    assert asked == []
    for path in [*words.glob("tokenizer*"), *words.glob("vocab*"), *words.glob("special*")]:
        path.unlink()
    with pytest.raises(
        StoreError, match=r"in the local cache lacks a tokenizer, which the hub did not provide: There is"
    ):
        load_huggingface("somebody/bert", tokenizer="somebody/words")


def test_the_weights_of_a_tokenizer_are_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "bert", "bert")
    patterns = []

    def download(name: str, **settings: Any) -> str:
        if settings.get("local_files_only"):
            raise FileNotFoundError(name)
        patterns.append(settings["allow_patterns"])
        return str(tmp_path / "bert")

    monkeypatch.setattr(hub, "snapshot_download", download)
    load_huggingface("somebody/bert", tokenizer="somebody/words")
    assert ["*.safetensors" in wanted for wanted in patterns] == [True, False]
