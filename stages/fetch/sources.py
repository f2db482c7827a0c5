"""Read a dataset's files from the web, a path, or the package index.

pooch downloads, with its retries and temporary files; the caller checks the content.
"""

import ast
import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import urljoin

import pooch
import requests
from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, PyPISimple
from pypi_simple.errors import UnsupportedRepoVersionError

from common.atomic import sha256
from common.command_line import progress
from common.datasets import Source, is_safe

# To connect, and between two pieces of a response.
TIMEOUT_SECONDS = (5.0, 20.0)
RETRIES = 1
PIECE_BYTES = 1 << 16
GZIP_MAGIC = b"\x1f\x8b"

pooch.get_logger().setLevel("ERROR")


class SourceError(Exception):
    """A source did not deliver; the message says why."""


def read_files(source: Source, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Read files from one source, perhaps still compressed with gzip.

    Raises SourceError at the first file that the source does not deliver.
    """
    if source.url:
        for name in names:
            yield name, _get(source.fill(source.url, name), name)
        return
    archive = _get(_archive_url(source), source.archive.rpartition("/")[2])
    if sha256(archive) != source.sha256:
        raise SourceError(
            f"{source.archive}: SHA-256 should be {source.sha256}, is {sha256(archive)}"
        )
    for name in names:
        yield name, _member(BytesIO(archive), source, source.fill(source.member, name))


def _get(place: str, name: str) -> bytes:
    """Read a URL or a path."""
    if "://" not in place:
        try:
            return Path(place).expanduser().read_bytes()
        except OSError as error:
            raise SourceError(f"{place}: {error.strerror}") from None
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = pooch.create(
                path=folder,
                base_url="",
                registry={name: None},
                urls={name: place},
                retry_if_failed=RETRIES,
            )
            return Path(files.fetch(name, downloader=_download)).read_bytes()
    except (requests.RequestException, ValueError) as error:
        raise SourceError(f"{name}: {_reason(error)}") from None


def _download(url: str, path: str, files: pooch.Pooch) -> None:
    """Download a URL to a file; pooch calls this, for the progress bar and safe redirects."""
    (name,) = files.registry
    hooks = {"response": _refuse_unsafe_redirect}
    with requests.get(url, stream=True, timeout=TIMEOUT_SECONDS, hooks=hooks) as response:
        response.raise_for_status()
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        with Path(path).open("wb") as file, progress(name, total) as advance:
            for piece in response.iter_content(PIECE_BYTES):
                file.write(piece)
                advance(len(piece))


def _refuse_unsafe_redirect(response: requests.Response, **_: object) -> None:
    target = urljoin(response.url, response.headers.get("Location", response.url))
    if not is_safe(target):
        response.close()
        raise requests.exceptions.InvalidSchema(
            "redirects to a URL that is neither HTTPS nor on loopback"
        )


def _reason(error: Exception) -> str:
    """Return a short reason, without the URL, which may hold a password."""
    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    cause: BaseException = error
    while cause.args and isinstance(cause.args[-1], BaseException):
        cause = cause.args[-1]
    reason = getattr(cause, "reason", None) or cause
    return str(reason).rpartition(": ")[2] or type(reason).__name__


def uncompress(content: bytes, name: str) -> bytes:
    """Return a file's content, decompressed if it is compressed with gzip."""
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{name}: a damaged gzip file: {error}") from None


def _member(archive: BytesIO, source: Source, member: str) -> bytes:
    """Read one file out of a zip or tar archive; nothing is unpacked to disk."""
    try:
        if zipfile.is_zipfile(archive):
            return zipfile.ZipFile(archive).read(member)
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            file = tar.extractfile(member)
            if file is None:
                raise SourceError(f"{member} in {source.archive} is not a file")
            return file.read()
    except KeyError:
        raise SourceError(f"{source.archive} has no member {member}") from None
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, OSError) as error:
        raise SourceError(f"{source.archive}: not a readable archive: {error}") from None


def _archive_url(source: Source) -> str:
    """Return the location of an archive: its own URL or path, or the URL on the package index."""
    if source.package is None:
        return source.archive
    try:
        with PyPISimple(_package_index()) as index:
            page = index.get_project_page(source.package, timeout=TIMEOUT_SECONDS)
    except NoSuchProjectError:
        raise SourceError(f"no project {source.package}") from None
    except (requests.RequestException, UnsupportedRepoVersionError, ValueError) as error:
        raise SourceError(f"{source.package}: {_reason(error)}") from None
    for file in page.packages:
        if file.filename == source.archive:
            return file.url
    raise SourceError(f"{source.package} has no file {source.archive}")


def _package_index() -> str:
    """Return the index that pip would use: its variable, its configuration, its default."""
    if url := os.environ.get("PIP_INDEX_URL"):
        return url
    # `pip config get` reads only one configuration file, and not /etc/pip.conf.
    command = [sys.executable, "-m", "pip", "config", "list"]
    configuration = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    settings = dict(line.split("=", 1) for line in configuration.splitlines() if "=" in line)
    url = settings.get("install.index-url") or settings.get("global.index-url")
    return str(ast.literal_eval(url)) if url else PYPI_SIMPLE_ENDPOINT
