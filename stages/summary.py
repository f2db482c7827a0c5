"""Print the results, and what changed since another revision, as Markdown.

    python -m stages.summary [REVISION] >> "$GITHUB_STEP_SUMMARY"

About two seconds. The comparison is printed and never written to a file of the pipeline: it
follows from git's history, and what DVC keeps must follow from the stage's inputs alone.
"""

from __future__ import annotations

import subprocess
import sys

from stages import pages, results, settings
from stages.console import StageError, command_line, run, say
from stages.results import ACCURACY


def changes(revision: str) -> str:
    """Compare the results with those committed in a revision.

    Returns
    -------
    str
        The table that ``dvc metrics diff --md`` prints, or a sentence if it would be empty.

    Raises
    ------
    StageError
        If DVC cannot compare; usually the revision does not exist.
    """
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--md", revision]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise StageError(f"cannot compare with {revision}: {asked.stderr.removeprefix('ERROR: ')}")
    heading_lines = 2
    table = asked.stdout.strip()
    if len(table.splitlines()) <= heading_lines:
        return f"The results are those of `{revision}`."
    return table


def main() -> None:
    """Read the argument, the settings and the results, and print two tables."""
    parser = command_line("stages.summary", __doc__)
    parser.add_argument("revision", nargs="?", default="HEAD", help="compare with: HEAD")
    arguments = parser.parse_args()
    chosen = settings.load()
    table = list(pages.rows(chosen, results.load(ACCURACY)))
    say(pages.render("summary.md", {"rows": table, "changes": changes(arguments.revision)}))


if __name__ == "__main__":
    run(main)
