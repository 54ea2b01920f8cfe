"""What docs/about/security.md says of files: no pickles but tensors, and no code from data.

That third-party code needs permission is tested in `tests/models/test_loading.py`,
`tests/studies/design/test_study_networks.py` and `tests/models/huggingface/`; that pages escape text, in
`tests/hostile/`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for package in ("estimators", "infodis_stats")
    for path in sorted((ROOT / package).rglob("*.py"))
}

NEVER = {"eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads"}
NEVER |= {"yaml.load", "os.system", "os.popen", "shelve.open", "pd.read_pickle", "pandas.read_pickle", "joblib.load"}
WITH = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
"""Functions that read data only with an argument."""


def offences(source: str) -> Iterator[str]:
    """Yield calls that could run code which is stored in data."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in NEVER:
            yield name
        if name in WITH:
            argument, wanted = WITH[name]
            value = given.get(argument)
            if not (isinstance(value, ast.Constant) and value.value is wanted):
                yield name


def test_no_file_of_the_packages_runs_code_from_data():
    assert len(SOURCES) > 150
    found = {path: list(offences(source)) for path, source in SOURCES.items()}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("name", sorted(NEVER))
def test_control_forbidden_calls_are_found(name):
    assert list(offences(f"x = {name}(data)")) == [name]


@pytest.mark.parametrize(
    "call", ["torch.load(p)", "torch.load(p, weights_only=False)", "np.load(p, allow_pickle=True)"]
)
def test_control_readers_without_their_argument_are_found(call):
    assert len(list(offences(call))) == 1
    assert not list(offences("torch.load(p, weights_only=True); np.load(p, allow_pickle=False)"))


def test_modules_are_imported_by_name_only_where_permission_was_asked():
    importing = {
        path
        for path, source in SOURCES.items()
        if "import_module" in source or "resolve_name" in source
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("import_module", "importlib.import_module", "resolve_name")
        and not isinstance(node.args[0], ast.Constant)
    }
    assert importing == {
        "infodis_stats/lazy.py",  # names of this package
        "infodis_stats/models/huggingface/compatibility.py",  # modules of transformers
        "infodis_stats/models/huggingface/remote_code.py",  # with trust_remote_code
        "infodis_stats/models/loading.py",  # with allow_import
    }
