"""Print at the end of `make bench` the figures that the table of times does not contain."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    session = getattr(terminalreporter.config, "_benchmarksession", None)
    for one in session.benchmarks if session is not None else ():
        for name, value in one.extra_info.items():
            terminalreporter.write_line(
                f"{one.name}: {name} = {value:.4g}" if isinstance(value, float) else f"{one.name}: {name} = {value}"
            )
