"""Datasets and their sources: datasets.yaml explains each name."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from support.command_line import redact_credentials
from support.schema import Fraction, Name, PositiveInteger, Sha256, StrictModel, validate
from support.yaml_file import read_yaml

DATASETS = Path("datasets.yaml")

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
Cost = Annotated[tuple[int, float], Field(strict=False)]


class Source(StrictModel):
    """A place that has the files, perhaps under other names; ``{file}`` stands for a file's name.

    Either a URL or path per file, perhaps compressed with gzip, or one zip or tar archive with all
    files: at a URL or path, or a file of a package.
    """

    url: str | None = None
    archive: str | None = None
    sha256: Sha256 | None = None
    member: str = "{file}"
    package: str | None = None
    names: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if bool(self.url) == bool(self.archive) or bool(self.sha256) != bool(self.archive):
            raise ValueError("a source should have either a url, or an archive and its sha256")
        return self

    def fill(self, template: str, file: str) -> str:
        """Return a URL or path with ``{file}`` replaced by the source's name for the file."""
        return template.replace("{file}", self.names.get(file, file))

    def __str__(self) -> str:
        place = " from the package index" if self.package else ""
        return redact_credentials((self.url or str(self.archive)).replace("{file}", "*")) + place


class Published(StrictModel):
    """Published results of a training: accuracies, and costs in nats with their iterations."""

    iterations: PositiveInteger
    min_test_accuracy: Fraction
    train: Fraction | None = None
    test: Fraction | None = None
    costs: Annotated[tuple[Cost, ...], Field(strict=False)] = ()


class DatasetSpec(StrictModel):
    """A dataset: what it is, the SHA-256 of its raw files, and where they come from.

    ``classes`` names each label, starting at 0; ``name`` is that of the entry.
    """

    name: str = ""
    title: str
    homepage: str
    licence: str
    citation: str
    description: str = ""
    caveats: Annotated[tuple[str, ...], Field(strict=False)] = ()
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=256, strict=False)]
    files: Annotated[dict[FileName, Sha256], Field(min_length=1)]
    sources: Annotated[list[Source], Field(min_length=1)]
    published: Annotated[tuple[Published, ...], Field(strict=False)] = ()

    def published_for(self, iterations: int) -> Published | None:
        """Return what was published for a number of iterations."""
        of_these = (result for result in self.published if result.iterations == iterations)
        return next(of_these, None)

    @property
    def published_costs(self) -> dict[int, float]:
        """The batch costs of all publications, in nats, by iteration."""
        return {iteration: cost for result in self.published for iteration, cost in result.costs}


def load_datasets() -> dict[str, DatasetSpec]:
    """Load datasets.yaml; raises InputError if it is missing or an entry is wrong."""
    datasets = validate(dict[Name, DatasetSpec], read_yaml(DATASETS), DATASETS)
    return {name: entry.model_copy(update={"name": name}) for name, entry in datasets.items()}
