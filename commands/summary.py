"""Print the results, and what changed since another revision, as Markdown.

    python -m commands.summary [REVISION] >> "$GITHUB_STEP_SUMMARY"
    python -m commands.summary --update README.md

The second form writes the table of results into a file, between the lines ``<!-- results -->`` and
``<!-- /results -->``. About two seconds.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from commands.hooks import call_hooks
from common.config import Config, load_config
from common.results import ACCURACY, Result, load_results
from support.command_line import CommandError, InputError, argument_parser, echo, run
from support.files import atomic_write

BEGIN, END = "<!-- results -->\n", "<!-- /results -->"


def columns(config: Config, results: Mapping[str, Result]) -> dict[str, dict[str, str]]:
    """Return the table of results, by column and run; extras add columns."""
    published = {
        name: config.dataset.published_for(params.iterations)
        for name, params in config.runs.items()
    }
    table = {
        "Run": {name: f"`{name}`" for name in config.runs},
        "Iterations": {name: f"{params.iterations:,}" for name, params in config.runs.items()},
        "Test accuracy": {name: f"{results[name].test:.2%}" for name in config.runs},
    }
    if any(published.values()):
        table["Published"] = {
            name: "" if figures is None else _published(figures.test, figures.min_test_accuracy)
            for name, figures in published.items()
        }
    for more in call_hooks("summary_columns", config):
        table.update(more)
    return table


def _published(test: float | None, promise: float) -> str:
    return f"at least {promise:.0%}" if test is None else f"{test:.2%}"


def markdown(table: Mapping[str, Mapping[str, str]], runs: list[str]) -> str:
    """Return a table as Markdown, one row per run."""
    rows = [
        list(table),
        ["---", *("---:" for _ in range(len(table) - 1))],
        *([column.get(name, "") for column in table.values()] for name in runs),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def changes(revision: str) -> str:
    """Return what ``dvc metrics diff --md`` prints, or a sentence if that would be empty."""
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--md", revision]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode:
        reason = completed.stderr.removeprefix("ERROR: ")
        raise CommandError(f"cannot compare with {revision}: {reason}")
    table = completed.stdout.strip()
    same = f"The results are the same as those of `{revision}`."
    return table if table.count("\n") > 1 else same  # two lines are the heading


def update(path: Path, table: str) -> None:
    """Write the table into a file, between its two marks."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"{path}: should have a line {BEGIN.strip()} and, below it, a line {END}")
    atomic_write(path, f"{before}{begin}{table}{end}{after}".encode())


def main() -> None:
    parser = argument_parser("commands.summary", __doc__)
    parser.add_argument("revision", nargs="?", default="HEAD", help="compare with this one: HEAD")
    parser.add_argument("--update", type=Path, metavar="FILE", help="write the table into FILE")
    arguments = parser.parse_args()
    config = load_config()
    results = load_results(ACCURACY)
    missing = [name for name in config.runs if name not in results]
    if missing:
        raise InputError(f"{ACCURACY}: no result of {', '.join(missing)}; run `dvc repro`")
    table = markdown(columns(config, results), list(config.runs))
    if arguments.update:
        update(arguments.update, table)
    else:
        echo(table)
        echo(changes(arguments.revision))


if __name__ == "__main__":
    run(main)
