"""Set up Python and the locked packages for ARM64, to be run by QEMU on Debian or Ubuntu.

    python -m extras.portability.arm64

Needs their packages qemu-user and dpkg, but no root: everything goes into .cache/arm64. For each
processor, `.cache/arm64/<processor>/command/python` is a Python that runs on it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from commands.install import UV_SETTINGS
from support.command_line import CommandError, InputError, argument_parser, echo, run
from support.pip_settings import pip_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache/arm64"
SYSTEM = FOLDER / "system"
COMPLETE = FOLDER / "complete"
EMULATOR = "qemu-aarch64"
LOCK = ROOT / "requirements.lock"
# Ubuntu keeps ARM64 on another server than x86-64.
UBUNTU_SOURCE = (
    "deb [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] "
    "http://ports.ubuntu.com/ubuntu-ports {VERSION_CODENAME} main universe\n"
)
MODERN = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop"
)


class Processor(NamedTuple):
    """What QEMU executes, and the model for which LLVM compiles: it reads that in /proc/cpuinfo."""

    emulated: str
    implementer: str
    part: str
    features: str = MODERN


PROCESSORS = {
    "Neoverse-N1": Processor("neoverse-n1", "0x41", "0xd0c"),
    "Cortex-A72": Processor(
        "cortex-a72", "0x41", "0xd08", "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
    ),
    # YNNPACK then uses SME's products of matrices.
    "SME": Processor("max,pauth-impdef=on", "0x41", "0xd4f", f"{MODERN} sve sve2 i8mm bf16"),
    "Neoverse-V1": Processor("neoverse-n1", "0x41", "0xd40", f"{MODERN} sve i8mm bf16"),
    "Apple-M1": Processor("neoverse-n1", "0x61", "0x023", f"{MODERN} sha3 sha512 fcma jscvt"),
}


def is_set_up() -> bool:
    """Return whether the Pythons are there, with the packages that are locked now."""
    return COMPLETE.exists() and COMPLETE.read_bytes() == LOCK.read_bytes()


def python(name: str) -> str:
    """Return the path of a Python that runs on a processor."""
    return str(FOLDER / name / "command/python")


def unpack_system() -> None:
    """Unpack this distribution's Python for ARM64, and all that it needs."""
    apt = FOLDER / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()  # nothing is installed
    options = [
        f"Dir::State={apt / 'state'}",
        f"Dir::State::status={apt / 'status'}",
        f"Dir::Cache={apt / 'cache'}",
        "APT::Architecture=arm64",
        "APT::Architectures::=arm64",
        "APT::Install-Recommends=false",
        "APT::Update::Error-Mode=any",
        "APT::Sandbox::User=root",
        *_sources(apt),
    ]
    command = ["apt-get", "--quiet=2", *(f"--option={option}" for option in options)]
    _do([*command, "update"])
    _do([*command, "install", "--download-only", "--yes", "python3", "libstdc++6"])
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        _do(["dpkg", "--extract", str(package), str(SYSTEM)])
    if not (SYSTEM / "lib").exists():  # newer libraries are in /usr/lib, to which /lib points
        (SYSTEM / "lib").symlink_to("usr/lib")


def install_packages() -> None:
    """Install the locked packages where that Python looks for them."""
    version = (SYSTEM / "usr/bin/python3").resolve().name
    target = SYSTEM / "usr/local/lib" / version / "dist-packages"
    command = [sys.executable, "-m", "uv", "pip", "install", "--target", str(target)]
    command += ["--python-platform", "aarch64-unknown-linux-gnu"]
    command += ["--python-version", version.removeprefix("python"), "--no-build-isolation"]
    settings = pip_settings(sys.executable)
    variables = {UV_SETTINGS[name]: settings[name] for name in UV_SETTINGS if name in settings}
    variables |= {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    _do([*command, "--require-hashes", "--requirement", str(LOCK)], variables | os.environ)


def make_processor(name: str) -> None:
    """Make the folder in which QEMU looks for files first, and the command that starts Python."""
    processor, folder = PROCESSORS[name], FOLDER / name
    for part in ("proc", "command"):
        (folder / part).mkdir(parents=True)
    for path in SYSTEM.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "proc/cpuinfo").write_text(
        f"processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: {processor.features}\n"
        f"CPU implementer\t: {processor.implementer}\nCPU architecture: 8\nCPU variant\t: 0x1\n"
        f"CPU part\t: {processor.part}\nCPU revision\t: 1\n\n",
        "utf-8",
    )
    program = f"{EMULATOR} -cpu {processor.emulated} -L '{folder}' '{folder}/usr/bin/python3'"
    command = Path(python(name))
    command.write_text(f'#!/bin/sh\nexec {program} "$@"\n', "utf-8")
    command.chmod(0o755)


def main() -> None:
    argument_parser("extras.portability.arm64", __doc__).parse_args()
    if missing := [name for name in (EMULATOR, "apt-get", "dpkg") if not shutil.which(name)]:
        raise InputError(
            f"{', '.join(missing)}: not found; on Debian and Ubuntu, `apt-get install qemu-user` "
            "installs QEMU; on other systems ARM64 cannot be set up"
        )
    if is_set_up():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    echo("unpacking Python for ARM64")
    unpack_system()
    echo("installing requirements.lock for ARM64: 2.5 GB")
    install_packages()
    for name in PROCESSORS:
        make_processor(name)
    _do([python("Neoverse-N1"), "-c", "import numpy"])
    shutil.copy(LOCK, COMPLETE)
    echo(f"{FOLDER.relative_to(ROOT)} is complete; `make portability` uses it")


def _sources(apt: Path) -> list[str]:
    """Return apt's options for the packages of ARM64; Debian has them on its usual servers."""
    lines = Path("/etc/os-release").read_text("utf-8").splitlines()
    release = {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    if release["ID"] != "ubuntu":
        return []
    (apt / "sources.list").write_text(UBUNTU_SOURCE.format_map(release), "utf-8")
    return [f"Dir::Etc::SourceList={apt / 'sources.list'}", "Dir::Etc::SourceParts=/dev/null"]


def _do(command: list[str], variables: Mapping[str, str] | None = None) -> None:
    process = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if process.returncode:
        raise CommandError(f"`{' '.join(command)}` failed: {process.stderr[-500:]}")


if __name__ == "__main__":
    run(main)
