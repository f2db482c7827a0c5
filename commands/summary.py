"""Print the results, and what changed since another revision, as Markdown.

    python -m commands.summary [REVISION] >> "$GITHUB_STEP_SUMMARY"

About two seconds. The comparison is printed and never written to a file of the pipeline: it
follows from git's history, and what DVC keeps must follow from the stage's inputs alone.
"""

from __future__ import annotations

import subprocess
import sys

from common import results
from common.command_line import CommandError, argument_parser, echo, run
from common.config import load_config
from common.results import ACCURACY
from stages.report import pages


def changes(revision: str) -> str:
    """Compare the results with those committed in a revision.

    Returns
    -------
    str
        The table that ``dvc metrics diff --md`` prints, or a sentence if it would be empty.

    Raises
    ------
    CommandError
        If DVC cannot compare; usually the revision does not exist.
    """
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--md", revision]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise CommandError(
            f"cannot compare with {revision}: {asked.stderr.removeprefix('ERROR: ')}"
        )
    heading_lines = 2
    table = asked.stdout.strip()
    if len(table.splitlines()) <= heading_lines:
        return f"The results are those of `{revision}`."
    return table


def main() -> None:
    """Read the argument, the settings and the results, and print two tables."""
    parser = argument_parser("commands.summary", __doc__)
    parser.add_argument("revision", nargs="?", default="HEAD", help="compare with: HEAD")
    arguments = parser.parse_args()
    config = load_config()
    table = list(pages.rows(config, results.load(ACCURACY)))
    echo(pages.render("summary.md", {"rows": table, "changes": changes(arguments.revision)}))


if __name__ == "__main__":
    run(main)
