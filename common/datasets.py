"""Datasets and their sources: datasets.yaml explains each name."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from common.atomic import sha256
from common.command_line import InputError, redact_credentials
from common.schema import Fraction, Name, Sha256, StrictModel, validate
from common.yaml_file import read_yaml

DATASETS = Path("datasets.yaml")

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
WithFile = Annotated[str, StringConstraints(pattern=r"\{file\}")]


def is_safe(url: str) -> bool:
    """Return whether a URL uses HTTPS, or HTTP on loopback."""
    parts = urlsplit(url)
    is_loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    return parts.scheme == "https" or is_loopback


def _check_place(place: str) -> str:
    if "://" in place and not is_safe(place):
        raise ValueError("should start with https:// or be a path (http:// on loopback only)")
    return place


class Source(StrictModel):
    """A place that has the files, perhaps under other names; ``{file}`` stands for a file's name.

    Either a URL or path per file, perhaps compressed with gzip, or one zip or tar archive with all
    files: at a URL or path, or a file of a package.
    """

    url: Annotated[WithFile, AfterValidator(_check_place)] = ""
    archive: Annotated[str, AfterValidator(_check_place)] = ""
    sha256: Sha256 = ""
    member: WithFile = "{file}"
    package: str | None = None
    names: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        kind = self.model_fields_set - {"names"}
        if kind != {"url"} and kind - {"member", "package"} != {"archive", "sha256"}:
            raise ValueError(
                "should have either a url, or an archive and its sha256 (and perhaps member and "
                "package)"
            )
        return self

    def fill(self, template: str, file: str) -> str:
        """Return a URL or path with ``{file}`` replaced by the source's name for the file."""
        return template.replace("{file}", self.names.get(file, file))

    def __str__(self) -> str:
        place = " from the package index" if self.package else ""
        return redact_credentials(self.url.replace("{file}", "*") or self.archive) + place


class Published(StrictModel):
    """Published results of a training: accuracies, and costs in nats by iteration."""

    min_test_accuracy: Fraction
    train: Fraction | None = None
    test: Fraction | None = None
    costs: dict[int, float] = Field(default_factory=dict)


class DatasetSpec(StrictModel):
    """A dataset: what it is, the SHA-256 of its raw files, and where they come from.

    ``classes`` names each label, from 0 on; ``published`` is by number of iterations.
    """

    title: str
    homepage: str
    licence: str
    citation: str
    description: str = ""
    caveats: Annotated[tuple[str, ...], Field(strict=False)] = ()
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=256, strict=False)]
    files: Annotated[dict[FileName, Sha256], Field(min_length=1)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1, strict=False)]
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
    """Load datasets.yaml; raises InputError if it is missing or an entry is wrong."""
    return validate(dict[Name, DatasetSpec], read_yaml(DATASETS), DATASETS)


def read_raw_file(folder: Path, name: str, dataset: DatasetSpec) -> bytes:
    """Return the content of one of the dataset's files, which `fetch` has put into a folder.

    Raises InputError if it is not listed in datasets.yaml, missing or damaged.
    """
    if name not in dataset.files:
        raise InputError(f"{DATASETS}: files: should have {name}, which stages/flatten reads")
    path = folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` fetches it") from None
    # DVC trusts a read-only file of its cache without reading it, so it is checked here.
    if sha256(content) != dataset.files[name]:
        raise InputError(
            f"{path}: SHA-256 should be {dataset.files[name]}, is {sha256(content)}; delete it, "
            "and `python -m stages.fetch data/raw` gets it again"
        )
    return content
