"""A reader that stops reading ends a command quietly; any other broken pipe is an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import infodis_stats as ids
from infodis_stats import cli

COMMANDS = (["estimators"], ["intervals", "--json"], ["--help"], ["nll", "absent.toml", "absent.txt"])


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_closed_pipe_is_no_error(arguments, unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, *(["-u"] if unbuffered else []), "-m", "infodis_stats", *arguments]
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    if arguments[0] == "nll":  # prints to the other stream
        assert done.returncode == 2
        assert done.stderr.startswith("infodis-stats: absent.toml")
    else:
        assert done.returncode in (0, 141)  # argparse ignores errors of a stream
        assert not done.stderr


def test_a_closed_stream_of_errors_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "infodis_stats", "nll", "absent.toml", "absent.txt"]
    try:
        assert subprocess.run(command, stderr=writing, stdout=writing, check=False).returncode == 141
    finally:
        os.close(writing)


def test_control_another_broken_pipe_is_an_error(monkeypatch):
    def broken(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr(cli, "_run", broken)
    with Path(os.devnull).open("w") as null:
        monkeypatch.setattr(sys, "stdout", null)
        monkeypatch.setattr(sys, "stderr", null)
        with pytest.raises(BrokenPipeError):
            cli.main(["estimators"])


def test_the_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"infodis-stats {ids.__version__}\n"
