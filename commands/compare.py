"""List the experiments of the last commits: what each changed, and its test accuracies.

    python -m commands.compare [--commits 2]

An experiment that failed, is running or waits in the queue has its state instead of accuracies.
"""

from collections.abc import Container
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from common.config import PARAMS
from support.command_line import CONSOLE, CommandError, InputError, argument_parser, run
from support.yaml_file import read_yaml

Row = dict[str, Any]


def changed_settings(rows: list[Row], sections: Container[str]) -> list[str]:
    """Return the names of the settings in params.yaml, which has `sections`, that differ."""
    names = dict.fromkeys(name for row in rows for name in row)
    settings = [name for name in names if name.partition(".")[0] in sections]
    return [name for name in settings if len({str(row.get(name)) for row in rows}) > 1]


def table(rows: list[Row], sections: Container[str]) -> Table:
    """Return one line per commit and experiment; `rows` are those of `dvc.api.exp_show`."""
    tests = list(dict.fromkeys(name for row in rows for name in row if name.endswith(".test")))
    settings = changed_settings(rows, sections)
    result = Table("commit or experiment", *settings, *tests, box=box.SIMPLE_HEAD)
    for row in rows:
        # DVC shows the accuracies of the commit from which an experiment started.
        is_complete = row["State"] in (None, "Success")
        state = "" if is_complete else f" ({row['State'].lower()})"
        indent = "" if row["typ"] == "baseline" else "  "
        accuracies = [_text(row.get(test)) if is_complete else "" for test in tests]
        values = [_text(row.get(setting)) for setting in settings]
        result.add_row(f"{indent}{row['Experiment'] or row['rev']}{state}", *values, *accuracies)
    return result


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argument_parser("commands.compare", __doc__)
    parser.add_argument("--commits", type=int, default=2, help="default: 2")
    arguments = parser.parse_args()
    if arguments.commits < 1:
        raise InputError(f"--commits: is {arguments.commits}, should be at least 1")
    # Imported here because it takes a second: wrong arguments are reported first.
    from dvc.api import exp_show
    from dvc.exceptions import DvcException

    try:
        rows = exp_show(num=arguments.commits)
    except DvcException as error:
        raise CommandError(str(error)) from None
    experiments = [row for row in rows if row["rev"] != "workspace"]
    console = CONSOLE if CONSOLE.is_terminal else Console(width=160)
    console.print(table(experiments, read_yaml(PARAMS)))


if __name__ == "__main__":
    run(main)
