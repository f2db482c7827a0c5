"""A clone of the project in a folder of its own, and the machine of the user who runs it."""

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from commands.install import state
from tests.workspace import RAW_FILES, ROOT, CompletedRun, entry, synthetic_params, write_yaml

# Variables of the shell that runs the tests do not reach a project.
VARIABLES_OF_TOOLS = ("DVC_", "GIT_", "MLFLOW_", "PIP_", "PYTHON", "XDG_")
COMMIT = "git add --all; git -c user.name=T -c user.email=t@example.org commit --quiet -m First"
# A block of a document, unless a comment before it says that it is only an example.
BLOCK = re.compile(r"^(<!-- example[^\n]*\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Servers, which a reader starts in another terminal, run in the background.
SETUP = """
set -eo pipefail
git config --global user.name T; git config --global user.email t@example.org
serve() {
  command "${@:2}" &
  while kill -0 $! && ! curl "http://127.0.0.1:$1"; do sleep 0.2; done
}
mlflow() { serve 5001 mlflow "$@" > /dev/null 2>&1; }
make() {
  if [ "$1" = ui ]; then serve 5000 make ui PORT=5000 > /dev/null 2>&1; else command make "$@"; fi
}
"""


@dataclass(frozen=True)
class Project:
    """A clone, with the home, /tmp and shell of its user; a `wrapper` starts each command."""

    path: Path
    home: Path
    temporary: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    umask: int = 0o022
    wrapper: tuple[str, ...] = ()

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        """Start a program of the system or of .venv, as the first of a process group."""
        tools = [name for name in os.environ if name.startswith(VARIABLES_OF_TOOLS)]
        environment = {name: value for name, value in os.environ.items() if name not in tools}
        environment |= {"HOME": str(self.home), "TMPDIR": str(self.temporary)}
        # As in an activated environment.
        environment["PATH"] = f"{self.path}/.venv/bin:{environment['PATH']}"
        environment["DVC_SITE_CACHE_DIR"] = str(self.temporary / "dvc")
        return subprocess.Popen(
            [*self.wrapper, *command],
            cwd=self.path,
            env={**environment, "NO_PROXY": "127.0.0.1", **self.variables, **variables},
            umask=self.umask,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, **variables: str) -> CompletedRun:
        """Run a program as `start` does, and wait for it."""
        with self.start(*command, **variables) as process:
            out, err = process.communicate()
        return CompletedRun(process.returncode, out, err)

    def do(self, *command: str, **variables: str) -> str:
        """Run what must succeed, and return what it printed."""
        completed = self.run(*command, **variables)
        assert completed.status == 0, completed.out + completed.err
        return completed.out

    def set_up(self) -> None:
        """Do what `make` does first, but take the packages of the Python that runs the tests."""
        environment = self.path / ".venv"
        if not environment.exists():
            environment.mkdir()
            for name in ("bin", "lib", "pyvenv.cfg"):
                (environment / name).symlink_to(Path(sys.prefix, name))
        (environment / "place").write_text(str(environment.resolve()), "utf-8")
        with contextlib.chdir(self.path):
            stamp = "\n".join(state(Path("requirements.lock")))
        (environment / "installed-requirements.lock").write_text(stamp, "utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file as in an editor; `old` must occur in it once."""
        content = (self.path / name).read_text("utf-8")
        assert content.count(old) == 1
        (self.path / name).write_text(content.replace(old, new), "utf-8")

    def commit(self) -> None:
        """Commit everything that git does not ignore."""
        self.do("bash", "-ec", COMMIT)

    def tracked_runs(self) -> list[tuple[str, str]]:
        """Return name and status of the runs in the MLflow store, by their names."""
        with closing(sqlite3.connect(self.path / "mlflow.db")) as store:
            query = "SELECT name, status FROM runs WHERE lifecycle_stage = 'active' ORDER BY name"
            return list(store.execute(query))

    def run_document(self, text: str) -> list[tuple[str, str]]:
        """Run a document's blocks of shell and Python as they stand, but on ports that are free.

        Returns what each block printed and what the document shows below it, where it shows an
        output, without the digits that may depend on the processor.
        """
        script, shown, mark = SETUP, {}, "=== next block ==="
        for is_example, language, block in BLOCK.findall(text):
            if language in ("json", "text"):
                shown[script.count(mark)] = block
            elif language in ("python", "sh") and not is_example:
                command = f"python - << 'END'\n{block}END" if language == "python" else block
                script += f"echo '{mark}'\n({command}\n)\n"
        for port in ("5000", "5001"):
            with socket.create_server(("127.0.0.1", 0)) as probe:
                script = script.replace(port, str(probe.getsockname()[1]))
        with self.start("bash", "-c", script) as process:
            try:
                out, err = process.communicate()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
        assert process.returncode == 0, out + err
        printed = out.split(f"{mark}\n")

        def shorten(output: str) -> str:
            return re.sub(r"(\.\d{4})\d+", r"\1", output).strip()

        return [(shorten(printed[number]), shorten(output)) for number, output in shown.items()]

    def clone(self, path: Path) -> Self:
        """Clone the last commit into an empty folder, with what DVC keeps of it."""
        clone = dataclasses.replace(self, path=path)
        self.do("git", "clone", "--quiet", str(self.path), str(clone.path))
        clone.set_up()
        clone.do("dvc", "config", "--local", "cache.dir", str(self.path / ".dvc/cache"))
        clone.do("dvc", "checkout", "--quiet", "--allow-missing")
        return clone


def flip_bit(path: Path, position: int | None = None) -> None:
    """Change one bit as a failing disk does: size, mode and times stay as they were."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(stat.S_IMODE(before.st_mode))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def project_in(path: Path) -> Project:
    """Return the project in a folder, with new folders beside it for the user's home and /tmp."""
    project = Project(path / "project", path / "home", path / "temporary")
    project.home.mkdir(parents=True)
    project.temporary.mkdir()
    return project


def make_project(path: Path, source: str | None = None) -> Project:
    """Copy the repository as it is; its dataset is at a URL, or in a folder beside the project."""
    project = project_in(path)
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if name != "dvc.lock" and (ROOT / name).is_file():
            (project.path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project.path / name)
    if source is None:
        (path / "source").mkdir()
        for name, content in RAW_FILES.items():
            (path / "source" / name).write_bytes(content)
        source = f"{path}/source/{{file}}"
    write_yaml(project.path / "params.yaml", synthetic_params())
    write_yaml(project.path / "datasets.yaml", {"synthetic": entry(source)})
    project.do("git", "init", "--quiet")
    project.commit()
    project.set_up()
    return project
