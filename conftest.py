"""The fixtures of all tests, and the counts of `pytest --faults`."""

import pytest

pytest_plugins = ["tests.fixtures"]
collect_ignore_glob = ["examples/*/tests"]  # of the projects that `make example` makes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what makes the completed project, which takes longest, and end with its copies.

    Meanwhile the other worker has other tests, and does not wait for the project.
    """

    def place(item: pytest.Item) -> int:
        names = getattr(item, "fixturenames", ())
        return 2 if "project_copy" in names else int("completed_project" not in names)

    items.sort(key=place)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make faults`."""
    parser.addoption("--faults", action="store_true", help="count the faults that were injected")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Count the faults: one per test, unless the test records how many it injects."""
    if not config.getoption("faults"):
        return
    counts = {
        outcome: sum(
            sum(number for name, number in report.user_properties if name == "faults") or 1
            for report in terminalreporter.getreports(outcome)
            if "fault" in report.keywords
        )
        for outcome in ("passed", "failed", "error", "skipped")
    }
    injected = counts["passed"] + counts["failed"] + counts["error"]
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    terminalreporter.write_line(f"{injected} injected, {counts['passed']} survived{skipped}")
