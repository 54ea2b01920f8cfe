"""Study files to start from: they run as they are, and explain every key."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from estimators import InputError
from estimators.model import noise_of, prices_masks
from infodis_stats.io.records import read_pairs, read_records
from infodis_stats.models.huggingface import NOISED_FAMILIES, find_noised_family
from infodis_stats.models.huggingface.folder import read_config
from infodis_stats.models.loading import BUNDLED, HUGGING_FACE, load_model
from infodis_stats.studies.design.laws import read_law_table
from infodis_stats.studies.design.toml import tables_in
from infodis_stats.studies.design.toml_text import toml_key, toml_text, toml_value
from infodis_stats.studies.kinds import kind_named
from infodis_stats.studies.reference import is_list, opening_first
from infodis_stats.studies.study_file import check_study

__all__ = ["records_template", "study_template"]


def study_template(kind: str = "comparison") -> str:
    """Return a study file of a kind, with a comment on every key.

    Optional keys that are not set stand behind a ``#`` with their defaults.

    Parameters
    ----------
    kind : {"comparison", "blocks", "calibration", "corpora", "frontier", "information"}

    Raises
    ------
    InputError
        If there is no such kind.

    Examples
    --------
    >>> print(study_template("frontier")[:42])
    # A study of the kind 'frontier' for infod
    """
    return _document(kind, kind_named(kind).example)


def records_template(kind: str, records: Sequence[Path | str], model: str, *, folder: Path | str = ".") -> str:
    """Return a study file on texts of the user's own.

    Parameters
    ----------
    kind : {"comparison", "blocks", "calibration", "corpora"}
    records : sequence of Path or str
        Files that `read_records` or `read_pairs` reads: one group or corpus of each.
    model : str
        A network by its name, as in study files, or a TOML file with a ``[law]`` table.
    folder : Path or str
        Folder of the study file.

    Raises
    ------
    InputError
        If a file cannot be read, a file is given twice, there is no such model, or there are no studies of this kind
        on texts.
    StoreError
        If the file of a denoiser is damaged.
    """
    example = kind_named(kind).example
    make = {
        "comparison": _comparison,
        "blocks": _blocks,
        "calibration": _calibration,
        "corpora": _corpora,
    }.get(kind)
    if make is None:
        raise InputError(
            f"a study of the kind {kind!r} needs sequences of one length, not texts: choose comparison, blocks, "
            "calibration or corpora"
        )
    stems = [Path(file).stem for file in records]
    groups = [
        _group(Path(file), Path(folder), alone=stems.count(stem) == 1)
        for file, stem in zip(records, stems, strict=True)
    ]
    study = {**example, **make(groups, _scored_by(model, Path(folder)))}
    noise = _noise(model)
    if noise and kind != "blocks":  # for which a model without blocks is refused
        study |= _for_noise(noise, study)
    study = {key: value for key, value in study.items() if value is not None}
    check_study(study, where="the study", folder=Path(folder))
    return _document(kind, study)


Group = tuple[dict[str, Any], bool]
"""The table of a file of texts, and whether it has pairs."""


def _group(file: Path, folder: Path, *, alone: bool) -> Group:
    if str(file) == "-":
        raise InputError("a study reads its texts from files, not from standard input")
    path = _relative(file, folder)
    return {"name": file.stem if alone else path, "records": path}, _paired(file)


def _paired(file: Path) -> bool:
    """Return whether a file has pairs of texts instead of texts; refuse what is neither."""
    try:
        read_records(file)
    except InputError:
        with contextlib.suppress(InputError):
            read_pairs(file)
            return True
        raise
    return False


def _relative(file: Path, folder: Path) -> str:
    return os.path.relpath(file, folder).replace(os.sep, "/")


def _scored_by(model: str, folder: Path) -> dict[str, Any]:
    if Path(model).suffix == ".toml":
        return {"law": read_law_table(model)}
    kind, colon, path = model.rpartition(":")
    beside = bool(path) and Path(path).exists() and not Path(path).is_absolute()
    return {"model": {"name": f"{kind}{colon}{_relative(Path(path), folder)}" if beside else model}}


def _noise(model: str) -> str:
    """Return the name of the noise of a score model on this disk that prices no masked tokens; empty for others."""
    folder = Path(model.removeprefix(HUGGING_FACE))
    if model.startswith(HUGGING_FACE) and folder.is_dir():
        family = find_noised_family(folder)
        return "" if family is None else NOISED_FAMILIES[family].noise(read_config(folder)).name
    if model not in BUNDLED and not (Path(model).suffix == ".safetensors" and Path(model).is_file()):
        return ""
    network = load_model(model)
    noise = noise_of(network)
    return "" if noise is None or prices_masks(network) else noise.name


def _for_noise(noise: str, study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the estimators of a study that suit a model for a noise, in place of those of masks."""
    if study["kind"] == "corpora":
        corpora = [{key: value for key, value in table.items() if key != "maps"} for table in study["corpora"]]
        return {"estimator": "auto", "corpora": corpora}  # maps are of the losses of masked tokens
    names = ["auto", f"score-entropy({noise})", f"score-entropy({noise},polynomial)+stratified"]
    if study["kind"] == "calibration":
        return {"estimators": names}
    return {"estimators": names, "reference": "decoupled auto" if "contrasts" in study else "auto"}


def _comparison(groups: Sequence[Group], scored_by: Mapping[str, Any]) -> dict[str, Any]:
    tables, paired = [table for table, _ in groups], {paired for _, paired in groups}
    if len(paired) > 1:
        raise InputError("give files of texts or files of pairs of texts, not both")
    common = {"title": "Three estimators on my texts", "replicates": 16, "law": None, **scored_by}
    if "model" in scored_by:
        common["truth_passes"] = 1024
    if paired == {True}:
        contrasts = {"contrasts": ["coupled", "decoupled"], "reference": "decoupled time-free", "targets": None}
        return {**common, **contrasts, "pairs": tables}
    return {**common, "targets": tables}


def _blocks(groups: Sequence[Group], scored_by: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": "Single draws and blocks on my texts", "subjects": [_subject(groups, scored_by)]}


def _calibration(groups: Sequence[Group], scored_by: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": "Coverage of intervals on my texts", "draws": 200, "subjects": [_subject(groups, scored_by)]}


def _subject(groups: Sequence[Group], scored_by: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "my texts", **scored_by, "targets": _unpaired(groups)}


def _corpora(groups: Sequence[Group], scored_by: Mapping[str, Any]) -> dict[str, Any]:
    tables = _unpaired(groups)
    if "law" in scored_by:
        raise InputError("corpora are scored by a network: give the name of a model instead of a TOML file")
    if len(tables) < 2:
        raise InputError("a study of corpora compares at least 2 files of texts, got 1")
    return {
        "title": "My corpora under one model",
        "reference": tables[0]["name"],
        **scored_by,
        "corpora": [{**table, "maps": 1} for table in tables],
    }


def _unpaired(groups: Sequence[Group]) -> list[dict[str, Any]]:
    if any(paired for _, paired in groups):
        raise InputError("pairs of texts are for a study of the kind 'comparison'")
    return [table for table, _ in groups]


def _document(kind: str, data: Mapping[str, Any]) -> str:
    schema = kind_named(kind).schema
    opening = [
        f"# A study of the kind {kind!r} for infodis-stats. Run it: infodis-stats study FILE --out FOLDER",
        "# '#key = value' is a default: remove the '#' to change it. '# key: ...' has no default: add key = value.",
        "# '# [name]: ...' and '# [[name]]: ...' are tables that may be added; [[name]] may be repeated.",
        f"# All keys, with their types: infodis-stats schema {kind}",
        "",
    ]
    return "\n".join([*opening, *_lines(schema, data, (), kind), ""])


def _lines(table: type[BaseModel], data: Mapping[str, Any], path: tuple[str, ...], kind: str) -> list[str]:
    """Return the lines of a table: its own keys before the tables in it."""
    fields = table.model_fields if path else opening_first(table.model_fields)
    lines, mentions, sections = [], [], []
    for key, field in fields.items():
        if not tables_in(field.annotation):
            lines += _key(key, field, data)
        elif key in data:
            sections += _tables(key, field, data[key], path, kind)
        elif isinstance(field.default, BaseModel):
            sections += [
                "",
                f"# {_meaning(key, field)}",
                f"[{_header(path, key)}]",
                *_lines(tables_in(field.annotation)[0], {}, (*path, key), kind),
            ]
        else:
            header = f"[{_header(path, key)}]"
            mentions.append(f"# {f'[{header}]' if is_list(field) else header}: {_meaning(key, field)}")
    return [*lines, *mentions, *sections]


def _meaning(key: str, field: FieldInfo) -> str:
    return field.description or key


def _header(path: tuple[str, ...], key: str) -> str:
    return ".".join(map(toml_key, (*path, key)))


def _key(key: str, field: FieldInfo, data: Mapping[str, Any]) -> list[str]:
    if key in data:
        return [f"# {_meaning(key, field)}", f"{key} = {toml_value(data[key])}"]
    if field.default is None:
        return [f"# {key}: {_meaning(key, field)}"]
    return [f"# {_meaning(key, field)}", f"#{key} = {toml_value(field.default)}"]


def _tables(key: str, field: FieldInfo, value: Any, path: tuple[str, ...], kind: str) -> list[str]:
    """Return the sections of a table, or of a list of tables, of which the first is explained."""
    header, inner = _header(path, key), (*path, key)
    if not isinstance(value, list):
        return ["", f"# {_meaning(key, field)}", f"[{header}]", *_lines(_table(field, value), value, inner, kind)]
    lines = ["", f"# {_meaning(key, field)}"]
    for index, item in enumerate(value):
        table = _table(field, item)
        body = _lines(table, item, inner, kind) if index == 0 else _bare(item, inner)
        lines += [*([""] if index else []), f"[[{header}]]", *body]
    return lines


def _table(field: FieldInfo, value: Mapping[str, Any]) -> type[BaseModel]:
    """Return the type of a table, of several the one of its ``kind``."""
    first, *others = tables_in(field.annotation)
    return next(
        (table for table in others if value.get("kind") in get_args(table.model_fields["kind"].annotation)), first
    )


def _bare(data: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """Return a table without comments."""
    return toml_text(data, path).rstrip("\n").split("\n")
