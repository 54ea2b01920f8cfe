"""Several processes: the same numbers as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from infodis_stats.harness.processes import Processes
from tests.support.harness_processes import evaluation, write_task


def test_one_process_is_alone() -> None:
    processes = Processes.started()
    assert (processes.rank, processes.count, processes.everywhere(3), processes.gathered(4)) == (0, 1, [3], [4])
    assert processes.concatenated(torch.tensor(5)).tolist() == [5]
    processes.wait()


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    write_task(tmp_path)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *launch, "tests.support.harness_processes", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    alone = evaluation(tmp_path)
    assert alone is not None
    assert (found["processes"], alone["processes"]) == (2, 1)
    assert len(found["problems"]) == 1
    assert found["problems"] == alone["problems"]
    assert found["accuracy"] == alone["accuracy"]
    np.testing.assert_allclose(found["kept"], alone["kept"], rtol=1e-5)
    np.testing.assert_allclose(sorted(found["logged"]), sorted(alone["logged"]), rtol=1e-5)
    first, second, _, third = np.array(alone["kept"])[:, 1]
    assert len({round(first, 4), round(second, 4), round(third, 4)}) == 3  # equal documents have masks of their own
