"""How commands end, and what they print."""

import re
import signal
import subprocess
import sys

import pytest

from support.command_line import CommandError, InputError, echo, progress, run
from support.yaml_file import read_yaml
from tests.workspace import ROOT


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (CommandError("no luck"), 1, "error: no luck\n"),
        (InputError("a:\n  wrong\tb"), 2, "error: a: wrong b\n"),
        (FileNotFoundError(2, "No such file", "a.npz"), 1, "error: a.npz: No such file\n"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device\n"),
        (OSError("odd"), 1, "error: odd\n"),
        (
            MemoryError("Unable to allocate 7 GiB"),
            1,
            "error: out of memory: Unable to allocate 7 GiB\n",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_a_failure_is_one_line_and_a_status(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as exit_:
        run(main)
    assert exit_.value.code == status
    assert capsys.readouterr() == ("", line)


@pytest.mark.fault
def test_what_ends_a_command_is_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    """That of a shell, so that temporary files are removed before."""
    with pytest.raises(SystemExit) as exit_:
        run(lambda: signal.raise_signal(signal.SIGTERM))
    assert exit_.value.code == 128 + 15
    assert capsys.readouterr() == ("", "")


def test_a_line_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither wrapped nor read as markup; a progress bar is for a terminal only."""
    line = f"[bold] {'long ' * 99}1.5 /a/b"
    with progress("task", 2) as advance:
        advance(1)
        echo(line)
    assert capsys.readouterr() == (f"{line}\n", "")


@pytest.mark.fault
def test_a_python_without_the_packages_is_reported() -> None:
    command = [sys.executable, "-S", "-m", "commands.gate"]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert completed.returncode == 1
    assert completed.stderr.startswith(f"error: {sys.executable} lacks the packages")
    assert completed.stderr.count("\n") == 1


HELP = """
import runpy, sys
for name in sys.argv[1:]:
    sys.argv = [name, "--help"]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as exit_:
        assert not exit_.code
print({"tensorflow", "matplotlib", "mlflow"} & set(sys.modules))
"""


def test_every_command_explains_itself_without_starting_a_large_library() -> None:
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    commands = [*(f"stages.{name}" for name in stages), "commands.gate", "commands.ui"]
    command = [sys.executable, "-c", HELP, *commands]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^usage: python -m (\S+) ", printed, re.MULTILINE) == commands
    assert printed.endswith("\nset()\n")
