"""The fixtures of all tests, and their order."""

import pytest

pytest_plugins = ["tests.fixtures"]
collect_ignore_glob = ["examples/*/tests"]  # of the projects that `make example` makes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what makes the completed project, and end with what waits for it."""

    def place(item: pytest.Item) -> int:
        names = getattr(item, "fixturenames", ())
        return 2 if "project_copy" in names else int("completed_project" not in names)

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the faults of `make faults`."""
    if terminalreporter.config.option.markexpr == "fault":
        outcomes = ("passed", "failed", "error")
        passed, *others = (len(terminalreporter.getreports(outcome)) for outcome in outcomes)
        terminalreporter.write_line(f"{passed + sum(others)} injected, {passed} survived")
