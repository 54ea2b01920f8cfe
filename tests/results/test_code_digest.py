"""The digest of the code covers what computes the numbers of a kind of study, and nothing else."""

import ast
import shutil
from importlib import resources
from pathlib import Path, PurePosixPath

import pytest

from infodis_stats.results import code_digest as code
from infodis_stats.results.code_digest import code_digest

COMPARISON, INFORMATION = (f"infodis_stats.studies.{kind}.schema" for kind in ("comparison", "information"))
LAST = "\nANSWER = 42\n"  # a statement at the end of a file

COUNTED = {
    "infodis_stats/analysis/tails.py": True,
    "infodis_stats/execution/run.py": True,
    "infodis_stats/models/huggingface/families.py": True,
    "infodis_stats/studies/comparison/summary.py": True,
    "infodis_stats/studies/design/laws.py": True,
    "infodis_stats/cli.py": False,
    "infodis_stats/diagnostics/truth.py": False,
    "infodis_stats/report/page.py": False,
    "infodis_stats/studies/report.py": False,
    "infodis_stats/studies/comparison/report/answer.py": False,
    "infodis_stats/studies/comparison/verdicts.py": False,
    "infodis_stats/studies/information/run.py": False,
}


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of both packages, whose digest is taken anew at each call."""
    for package in code.PACKAGES:
        source = resources.files(package)
        shutil.copytree(source, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    monkeypatch.setattr(code.resources, "files", lambda package: tmp_path / package)

    def digest(module: str) -> str:
        code_digest.cache_clear()
        code._sources.cache_clear()
        return code_digest(module)

    parsed: dict[bytes, object] = {}
    source = code._source
    monkeypatch.setattr(code, "_source", lambda text: parsed.get(text) or parsed.setdefault(text, source(text)))
    yield tmp_path, digest
    code_digest.cache_clear()
    code._sources.cache_clear()


def test_the_digest_changes_with_code_that_computes_numbers_and_no_other(copied):
    folder, digest = copied
    expected = digest(COMPARISON)
    for name, counted in COUNTED.items():
        path = folder / name
        before = path.read_text()
        path.write_text(before + LAST)
        assert (digest(COMPARISON) != expected) == counted, name
        path.write_text(before)
    (folder / "estimators" / "new.py").touch()
    assert digest(COMPARISON) != expected


def test_comments_docstrings_and_formatting_do_not_count(copied):
    folder, digest = copied
    path, expected = folder / "estimators" / "designs.py", digest(COMPARISON)
    original = path.read_text()
    tree = ast.parse(original)
    assert isinstance(tree.body[0], ast.Expr)
    tree.body[0] = ast.Expr(ast.Constant("Another docstring."))
    path.write_text("# A comment.\n" + ast.unparse(tree))  # without comments, laid out anew
    assert path.read_text() != original
    assert digest(COMPARISON) == expected
    changed = path.read_text().replace(" + 1", " + 2")
    path.write_text(changed)
    assert digest(COMPARISON) != expected


MESSAGES = (
    ("infodis_stats/results/validity.py", "biased by construction, by", "biased by"),
    ("infodis_stats/results/validity.py", "use more passes, chain, or", "use chain, or"),
    ("infodis_stats/results/error_bars.py", "there is no interval", "no interval has the name"),
)
NO_MESSAGES = (
    ("infodis_stats/results/validity.py", '"biased",', '"unbiased",'),
    ("infodis_stats/results/error_bars.py", "raise InputError(", "raise ValueError("),
)


@pytest.mark.parametrize(("counted", "edits"), [(False, MESSAGES), (True, NO_MESSAGES)])
def test_messages_of_errors_and_cautions_do_not_count_but_what_is_raised_does(copied, counted, edits):
    folder, digest = copied
    expected = digest(COMPARISON)
    for name, before, after in edits:
        path = folder / name
        text = path.read_text()
        assert before in text, (name, before)
        path.write_text(text.replace(before, after, 1))
        assert (digest(COMPARISON) != expected) == counted, (name, before)
        path.write_text(text)


def test_a_method_that_displays_a_value_does_not_count(copied):
    folder, digest = copied
    expected = digest(COMPARISON)
    path = folder / "infodis_stats/laws/markov.py"
    with path.open("a") as file:
        file.write("\n    def _repr_html_(self):\n        return 'a law'\n")
    assert digest(COMPARISON) == expected
    with path.open("a") as file:
        file.write("\n    def another(self):\n        return 'a law'\n")
    assert digest(COMPARISON) != expected


def test_a_kind_counts_for_itself_and_for_the_kinds_that_import_it(copied):
    folder, digest = copied
    frontier = "infodis_stats.studies.frontier.run"
    modules = (COMPARISON, INFORMATION, frontier, "infodis_stats.studies.design.grid", "elsewhere.run")
    before = list(map(digest, modules))
    with (folder / "infodis_stats/studies/comparison/summary.py").open("a") as file:
        file.write(LAST)
    changed = [digest(module) != expected for module, expected in zip(modules, before, strict=True)]
    assert changed == [True, True, False, False, True]


def test_code_that_counts_imports_none_that_does_not():
    """Otherwise the numbers could depend on code that the digest does not see."""
    for path, text in counted_files():
        for node in ast.walk(without_display(ast.parse(text))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("infodis_stats"):
                imported = PurePosixPath(node.module.replace(".", "/"))
                assert not ignored(imported), f"{path} imports {node.module}"


def test_control_the_report_of_studies_imports_code_that_does_not_count():
    assert ignored(PurePosixPath("infodis_stats/report/page"))
    assert ignored(PurePosixPath("infodis_stats/studies/kinds"))
    assert not ignored(PurePosixPath("infodis_stats/studies/design/grid"))


REGISTRY = ("studies/study.py", "studies/study_file.py", "studies/spec.py", "studies/*/__init__.py")
"""What knows all kinds and all parts of a kind, of which it calls run."""


def counted_files():
    for package in code.PACKAGES:
        for path, text in code._files(Path(str(resources.files(package))), PurePosixPath(package)):
            if not any(path.match(pattern) for pattern in REGISTRY):
                yield path, text


def ignored(path: PurePosixPath) -> bool:
    places = (path, path.with_suffix(".py"), *path.parents)
    return any(place.match(pattern) for place in places for pattern in code.NO_NUMBERS)


def without_display(tree: ast.Module) -> ast.Module:
    """Drop what does not run, and the methods that display a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body = [inner for inner in node.body if not displays(inner)]
    return tree


def displays(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.FunctionDef) and node.name in code.DISPLAYED
