"""Shared by all commands: errors in one line, arguments, output, progress."""

import gc
import os
import re
import signal
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import Progress

# Progress bars for a terminal only, even if a variable such as FORCE_COLOR asks for colours.
CONSOLE = Console(highlight=False, soft_wrap=True, markup=False, force_terminal=sys.stdout.isatty())


class CommandError(Exception):
    """An external failure: an unreachable source, a failed check. Exit status 1."""

    exit_status = 1


class InputError(CommandError):
    """Wrong input: a setting, an argument, a file. Exit status 2."""

    exit_status = 2


def run(main: Callable[[], None]) -> NoReturn:
    """Run a command and end the process, with one line on stderr if it failed.

    A command raises `CommandError` or `OSError` for failures that a user can cause; anything else
    is a defect of this project and keeps its traceback.
    """
    # As an exception, so that temporary files are removed and servers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
        sys.stdout.flush()
    except CommandError as error:
        sys.exit(_fail(str(error), error.exit_status))
    except BrokenPipeError:
        # The reader has ended (`... | head`); what stdout still holds must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(_fail(f"{where}{error.strerror or error}", 1))
    except MemoryError as error:
        sys.exit(_fail(f"out of memory: {error}", 1))
    except KeyboardInterrupt:
        sys.exit(_fail("interrupted", 130))
    sys.exit(0)


def _fail(message: str, status: int) -> int:
    sys.stderr.write("error: " + " ".join(message.split()) + "\n")
    return status


def argument_parser(module: str, doc: str | None) -> ArgumentParser:
    """Return the parser of a command's arguments; its help is the module's docstring."""
    return ArgumentParser(
        prog=f"python -m {module}",
        description=doc,
        formatter_class=RawDescriptionHelpFormatter,
    )


def read_paths(module: str, doc: str | None, names: str) -> list[Path]:
    """Read a command line whose arguments are paths, with these names."""
    parser = argument_parser(module, doc)
    for name in names.split():
        parser.add_argument(name, type=Path)
    return list(vars(parser.parse_args()).values())


def redact_credentials(text: str) -> str:
    """Return a text without the user names and passwords of the URLs in it."""
    return re.sub(r"//[^/\s]*@", "//", text)


def echo(line: str) -> None:
    """Print one line, above a progress bar if there is one."""
    CONSOLE.print(line)
    CONSOLE.file.flush()


@contextmanager
def progress(task: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; in a log file the lines of `echo` take its place.

    The function that is yielded takes the number of steps since its last call. `total` is None if
    it is not known.
    """
    with Progress(console=CONSOLE, transient=True, disable=not CONSOLE.is_terminal) as bar:
        identifier = bar.add_task(task, total=total)
        yield lambda steps: bar.update(identifier, advance=steps)


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Disable the garbage collector, which slows imports of large libraries by half."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
