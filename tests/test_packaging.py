"""The checks of published archives notice what they should, and the repository's own facts agree."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.packaging.archives import FilesDifferError, check_sdist, check_wheel
from tests.packaging.environments import CommandError, run
from tests.packaging.readme import code_examples, command_examples

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = {
    "LICENSE": "a",
    "NOTICE.md": "b",
    "LICENSES/MOSES.txt": "c",
    "estimators/plan.py": "d",
    "infodis_stats/models/bundled/austen.safetensors": "e",
    "tests/test_docs.py": "f",
    ".ci/run": "g",
}
WHEEL = {name: REPOSITORY[name] for name in REPOSITORY if name.startswith(("estimators/", "infodis_stats/"))} | {
    "infodis_stats-1.dist-info/METADATA": "h",
    "infodis_stats-1.dist-info/licenses/LICENSE": "a",
    "infodis_stats-1.dist-info/licenses/NOTICE.md": "b",
    "infodis_stats-1.dist-info/licenses/LICENSES/MOSES.txt": "c",
}
SDIST = {name: digest for name, digest in REPOSITORY.items() if name != ".ci/run"} | {"PKG-INFO": "h"}
USED_OTHERWISE = {
    "arviz-base": "arviz-stats needs it for labelled data",
    "h5netcdf": "the engine that xarray stores with",
}
"""Dependencies that no module imports."""


def test_complete_archives_pass():
    check_wheel(WHEEL, REPOSITORY)
    check_sdist(SDIST, REPOSITORY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"infodis_stats/models/bundled/austen.safetensors": None}, "lacks infodis_stats/models/bundled/austen"),
        ({"estimators/plan.py": "other"}, "has other content in estimators/plan.py"),
        ({"tests/test_docs.py": "f"}, "should not contain tests/test_docs.py"),
        ({"infodis_stats-1.dist-info/licenses/LICENSES/MOSES.txt": None}, "licences in the wheel lacks LICENSES/MOSES"),
    ],
)
def test_control_a_wrong_wheel_is_noticed(changes, message):
    wheel = {name: digest for name, digest in (WHEEL | changes).items() if digest is not None}
    with pytest.raises(FilesDifferError, match=message):
        check_wheel(wheel, REPOSITORY)


def test_control_a_source_distribution_without_tests_is_noticed():
    with pytest.raises(FilesDifferError, match=r"the source distribution lacks tests/test_docs\.py"):
        check_sdist({name: digest for name, digest in SDIST.items() if not name.startswith("tests/")}, REPOSITORY)


def test_control_a_failing_command_is_noticed(tmp_path):
    with pytest.raises(CommandError, match=r"exit status 3\nbefore"):
        run(["sh", "-c", "echo before; exit 3"], tmp_path)


def test_examples_are_cut_from_a_page():
    page = "A\n```python\nx = 1\n```\nB\n```python\nprint(x)\n```\n"
    page += (
        "    infodis-stats nll austen my.txt   # likelihoods\n    infodis-stats study reports/a.toml\n    make test\n"
    )
    assert code_examples(page) == "x = 1\n\nprint(x)\n"
    assert command_examples(page) == ["infodis-stats nll austen my.txt"]


def test_each_dependency_is_imported_and_each_import_declared():
    extras = PROJECT["optional-dependencies"]
    declared = set(map(distribution, PROJECT["dependencies"]))
    optional = {distribution(name) for extra in ("distributed", "harness", "hf") for name in extras[extra]}
    files = [path for package in ("estimators", "infodis_stats") for path in (ROOT / package).rglob("*.py")]
    imported = set().union(*map(imports, files)) - sys.stdlib_module_names - {"estimators", "infodis_stats"}
    imported = {name.replace("_", "-") for name in imported}
    assert declared - imported == USED_OTHERWISE.keys()
    assert imported - declared - optional == {"dask"}  # which distributed needs


def distribution(requirement):
    return re.match(r"[\w-]+", requirement).group().lower()


def imports(path):
    """Return the top-level modules that a file imports, found without parsing, which would take two seconds for all."""
    return set(re.findall(r"^ *(?:import|from(?= \S+ import)) (\w+)", path.read_text(), flags=re.MULTILINE))


def test_the_citation_is_complete_and_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert {"title", "message", "authors", "type"} <= citation.keys()
    (paper,) = citation["references"]
    authors = [f"{author['given-names']} {author['family-names']}" for author in paper["authors"]]
    assert len(set(authors)) == len(authors)  # the format forbids equal ones
    assert "arXiv:2510.24088" in [identifier["value"] for identifier in paper["identifiers"]]


def test_the_notice_names_all_bundled_models_and_licence_files():
    notice = (ROOT / "NOTICE.md").read_text()
    for path in (ROOT / "LICENSES").iterdir():
        assert f"](LICENSES/{path.name})" in notice
    models = {path.stem for path in (ROOT / "infodis_stats" / "models" / "bundled").glob("*.safetensors")}
    assert {model.partition("-")[0] for model in models} == {"austen", "molecules"}
