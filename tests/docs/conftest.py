import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the extra docs is not installed")
sys.path[:0] = [str(Path(__file__).parents[2] / "docs" / "_ext"), str(Path(__file__).parents[2] / "docs")]
