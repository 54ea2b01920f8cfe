"""A command imports only what it needs; networks need numpy, torch and what transformers needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCIENCE = {"scipy.stats", "statsmodels", "arviz_stats", "matplotlib", "transformers", "distributed"}
DATA = {"xarray", "pandas", "h5py", "jinja2"}
BARE = SCIENCE | DATA | {"torch", "numpy", "scipy", "pydantic", "tabulate"}
STEPS = [  # commands, and packages that neither they nor those before them import
    (["--help"], BARE),
    (["study", "--help"], BARE),
    (["schema", "--json"], SCIENCE | DATA | {"tabulate"}),
    (["init", "--out", "study.toml"], SCIENCE | DATA | {"tabulate"}),
    (["estimators"], SCIENCE | {"xarray", "h5py", "jinja2"}),
    (["intervals"], SCIENCE | {"xarray", "h5py", "jinja2"}),
    (["nll", "study.toml", "sequence.txt", "--estimator", "uniform-count"], SCIENCE),
]
RUN_EACH = """
import contextlib, io, json, sys
from infodis_stats.cli import main

imported = []
with contextlib.redirect_stdout(io.StringIO()):
    for arguments in json.loads(sys.argv[1]):
        with contextlib.suppress(SystemExit):
            assert main(arguments) == 0, arguments
        imported.append(sorted(sys.modules))
print(json.dumps(imported))
"""


def in_new_process(code, folder, *arguments):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(Path.cwd())!r}){code}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("startup")
    (folder / "sequence.txt").write_text("ACGTAC\n")
    return json.loads(in_new_process(RUN_EACH, folder, json.dumps([arguments for arguments, _ in STEPS])))


@pytest.mark.parametrize("step", range(len(STEPS)), ids=[arguments[0] for arguments, _ in STEPS])
def test_a_command_imports_only_what_it_needs(imported, step):
    assert STEPS[step][1].intersection(imported[step]) == set()


def test_control_what_a_command_needs_is_found(imported):
    assert "torch" in imported[2]
    assert {"xarray", "pandas"} <= set(imported[-1])


SCORE = """
BLOCKED = {"arviz_stats", "h5py", "matplotlib", "pandas", "pydantic", "scipy", "statsmodels", "xarray"}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
import torch
from estimators import estimator
from infodis_stats.models import Denoiser, DenoiserConfig, MaskedLanguageModel, load_huggingface

model = Denoiser(DenoiserConfig("AB", 4, 1, 8, 2))
print(estimator("auto").sample(model, torch.tensor([[0, 1, 1, 0]]), passes=2, replicates=1, rng=0).shape)
"""


def test_networks_need_neither_the_data_nor_the_statistics_packages(tmp_path):
    assert in_new_process(SCORE, tmp_path) == "(1, 1)\n"
