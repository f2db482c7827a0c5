"""How commands end."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable

import pytest
from tests.fixtures import ROOT

from common import command_line as console
from common.command_line import CommandError, InputError


def _raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (CommandError("no luck"), 1, "error: no luck\n"),
        (InputError("a:\n  wrong\tb"), 2, "error: a: wrong b\n"),
        (FileNotFoundError(2, "No such file", "a.npz"), 1, "error: a.npz: No such file\n"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device\n"),
        (OSError("odd"), 1, "error: odd\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_a_failure_is_one_line_and_a_status(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a user can cause ends in one line on stderr, and a status that says whose fault."""
    with pytest.raises(SystemExit) as left:
        console.run(_raising(error))
    assert status == left.value.code
    assert ("", line) == capsys.readouterr()


def test_success_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that returns ends with 0."""
    with pytest.raises(SystemExit) as left:
        console.run(lambda: None)
    assert left.value.code == 0
    assert capsys.readouterr() == ("", "")


def test_a_defect_keeps_its_traceback() -> None:
    """What no user can cause is not hidden."""
    with pytest.raises(ZeroDivisionError):
        console.run(_raising(ZeroDivisionError()))


def test_a_log_file_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no terminal, progress is silent, and a long line is one line as it is."""
    line = "[bold] 12,345 " + "x" * 300
    with console.progress("counting", 3) as advance:
        advance(2)
        console.echo(line)
    assert (line + "\n", "") == capsys.readouterr()


def test_garbage_is_collected_after_an_import_that_fails() -> None:
    """The collector rests during an import alone."""
    with pytest.raises(ImportError), console.gc_disabled():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_a_python_without_the_packages_is_said() -> None:
    """Outside of .venv a command is one line with what to do, and no traceback."""
    command = [sys.executable, "-S", "-m", "commands.gate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {sys.executable} lacks the packages")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://name:secret@host:5000/path", "http://host:5000/path"),
        ("postgresql://name:se@cret@host/db", "postgresql://host/db"),
        ("sqlite:////a folder/mlflow.db", "sqlite:////a folder/mlflow.db"),
    ],
)
def test_a_password_is_not_shown(address: str, shown: str) -> None:
    """Nor is the name before it."""
    assert shown == console.redact_credentials(address)
