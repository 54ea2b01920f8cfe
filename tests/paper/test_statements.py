"""Every statement of the paper has a test and a negative control."""

import re
from pathlib import Path

import pytest

THEOREMS = ["theorem_3_1", "theorem_3_2", "lemma_3_3", "theorem_3_4", "theorem_4_1", "theorem_4_2"]
COROLLARIES = ["i_mdce", "corollary_3_7", "corollary_4_3"]
EQUATIONS = ["equation_15", "equation_16", "equation_17", "equation_18"]


@pytest.mark.parametrize("statement", [*THEOREMS, *COROLLARIES, *EQUATIONS])
def test_every_statement_has_a_test_and_a_control(statement):
    files = Path(__file__).parent.glob("test_*.py")
    names = [name for file in files for name in re.findall(rf"^def test_{statement}_(\w+)", file.read_text(), re.M)]
    controls = [name for name in names if name.startswith("control")]
    assert 0 < len(controls) < len(names)
