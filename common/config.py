"""Everything a user may change, checked as a whole before any work is done.

The only reader of params.yaml and datasets.yaml, and of what is checked like them. It reads with
ruamel.yaml because DVC does: both then agree that ``1e-8`` is a number, and a name that stands
twice is an error.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from common.command_line import InputError, redact_credentials

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PARAMS = Path("params.yaml")
DATASETS = Path("datasets.yaml")
# As in .dvcignore.
IGNORED_BY_DVC = (".*.partial", ".DS_Store")

FileName = Literal[
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
# A magic number and the number of labels; then a byte a label.
LABELS_HEADER_BYTES = 8

FILE_NAMES: tuple[FileName, ...] = get_args(FileName)

# What pydantic puts into an error's place that is no name in the file: the kind of source that it
# took an entry for, and that a name is wrong and not its value.
TAGS = ("[package]", "[address]", "[key]")

PositiveInteger = Annotated[int, Field(gt=0)]
PositiveNumber = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
DecayRate = Annotated[float, Field(ge=0, lt=1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# The name of a run or a dataset is also that of a stage, a folder, a file, an experiment; and DVC
# splits parameters at dots.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]


class StrictModel(BaseModel):
    """What stands in a file: no unknown names, no conversions, no change once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=StrictModel)


class FlattenParams(StrictModel):
    """How the arrays are made.

    Attributes
    ----------
    validation_images
        How many of the training images, from the first on, are held out for validation.
    """

    validation_images: PositiveInteger


class TrainParams(StrictModel):
    """The network and its optimizer.

    Attributes
    ----------
    hidden_units
        The width of each hidden layer, from the images on.
    batch_size
        Images an iteration.
    learning_rate, beta_1, beta_2, epsilon
        Adam's constants.
    seed
        Everything random follows from it: the first weights and the order of the images.
    log_every_iterations
        How often the batch cost is printed.
    """

    hidden_units: tuple[PositiveInteger, ...] = Field(strict=False)
    batch_size: PositiveInteger
    learning_rate: PositiveNumber
    beta_1: DecayRate
    beta_2: DecayRate
    epsilon: PositiveNumber
    seed: Annotated[int, Field(ge=0)]
    log_every_iterations: PositiveInteger


class ReportParams(StrictModel):
    """The pictures of the report.

    Attributes
    ----------
    grid_seed
        Which test images are shown follows from it.
    smoothing_iterations
        The width of the running median that smooths the costs.
    calibration_bins
        Into how many bins of equal width the probabilities are cut.
    """

    grid_seed: Annotated[int, Field(ge=0)]
    smoothing_iterations: PositiveInteger
    calibration_bins: PositiveInteger


class ReplicatesParams(StrictModel):
    """The study of how much a result varies.

    Attributes
    ----------
    seeds
        How many trainings; their seeds follow on that of `Train`.
    """

    seeds: Annotated[int, Field(ge=2)]


class RunParams(StrictModel):
    """One result: how long it is trained, and the test accuracy it must reach."""

    iterations: PositiveInteger
    min_test_accuracy: Fraction


class Params(StrictModel):
    """The whole of params.yaml."""

    dataset: Name
    flatten: FlattenParams
    train: TrainParams
    report: ReportParams
    replicates: ReplicatesParams
    runs: Annotated[dict[Name, RunParams], Field(min_length=1)]


class FileSpec(StrictModel):
    """An uncompressed file as it must be, wherever it comes from; size in bytes."""

    bytes: PositiveInteger
    sha256: Sha256


def is_safe(url: str) -> bool:
    """Tell whether an address is of HTTPS, or of HTTP on loopback.

    Raises
    ------
    ValueError
        If it is no address.
    """
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    return parts.scheme == "https" or loopback


def _is_fetchable(url: str) -> str:
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

    names: dict[FileName, str] = {}

    def name(self, file: FileName) -> str:
        """Give the name that the place has for a file."""
        return self.names.get(file, file)


class Address(Source):
    """One address a file; ``{file}`` stands for its name. May be compressed with gzip."""

    url: Annotated[str, StringConstraints(pattern=r"\{file\}"), AfterValidator(_is_fetchable)]

    def __str__(self) -> str:
        return redact_credentials(self.url.replace("{file}", "*"))


class Package(Source):
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


def _kind_of_source(source: Any) -> str:
    return "[package]" if isinstance(source, Mapping) and "package" in source else "[address]"


AnySource = Annotated[
    Annotated[Package, Tag("[package]")] | Annotated[Address, Tag("[address]")],
    Discriminator(_kind_of_source),
]


class DatasetSpec(StrictModel):
    """What a dataset in IDX format is, and where it comes from.

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

    @property
    def training_images(self) -> int:
        """How many images there are to train and to validate with."""
        return self.files["train-labels-idx1-ubyte"].bytes - LABELS_HEADER_BYTES

    @property
    def test_images(self) -> int:
        """How many test images there are."""
        return self.files["t10k-labels-idx1-ubyte"].bytes - LABELS_HEADER_BYTES


@dataclass(frozen=True)
class Config:
    """The settings of all stages, as they are in params.yaml and datasets.yaml."""

    dataset: DatasetSpec
    dataset_name: str
    flatten: FlattenParams
    train: TrainParams
    report: ReportParams
    replicates: ReplicatesParams
    runs: Mapping[str, RunParams]

    def run(self, name: str) -> RunParams:
        """Give a run by its name.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        if name not in self.runs:
            raise InputError(f"{PARAMS}: runs: no run {name!r}, there are: {', '.join(self.runs)}")
        return self.runs[name]

    @property
    def longest_run(self) -> str:
        """The name of the run with the most iterations."""
        return max(self.runs, key=lambda name: self.runs[name].iterations)

    def check_folders(self, models: Path, costs: Path) -> None:
        """See that two folders that stages depend on as a whole have files of these runs alone.

        Otherwise dvc.lock would speak of what a removed or renamed run has left, and a new clone
        could not follow it.

        Raises
        ------
        InputError
            If there are others; it says how to delete them.
        """
        known = {models / run / "weights.npz" for run in self.runs}
        known |= {costs / f"{run}.csv" for run in self.runs}
        found = {path for folder in (costs, models) for path in folder.rglob("*") if path.is_file()}
        others = sorted(path for path in found - known if not any(map(path.match, IGNORED_BY_DVC)))
        if others:
            listed = shlex.join(map(str, others))
            raise InputError(f"{listed}: of no run in {PARAMS}; `rm {listed}`, and go on")


def load_config() -> Config:
    """Read and check params.yaml and datasets.yaml in the working directory.

    Raises
    ------
    InputError
        If either is missing, is not YAML, or has an unknown name, a wrong type or an
        impossible value; one line that names each.
    """
    params = validate(Params, read_yaml(PARAMS), PARAMS, ())
    datasets = {
        str(name): validate(DatasetSpec, entry, DATASETS, (str(name),))
        for name, entry in read_yaml(DATASETS).items()
    }
    for name, dataset in datasets.items():
        missing = [file for file in FILE_NAMES if file not in dataset.files]
        if missing:
            raise InputError(f"{DATASETS}: {name}.files: should have {', '.join(missing)}")
    if params.dataset not in datasets:
        known = ", ".join(datasets)
        raise InputError(f"{PARAMS}: dataset: {params.dataset!r} is not in {DATASETS}: {known}")
    return Config(
        dataset=datasets[params.dataset],
        dataset_name=params.dataset,
        flatten=params.flatten,
        train=params.train,
        report=params.report,
        replicates=params.replicates,
        runs=params.runs,
    )


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a settings file as DVC does.

    Raises
    ------
    InputError
        If it is missing, or is no mapping in YAML.
    """
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found in {Path.cwd()}; run from the root") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error}") from None
    except (YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        # ruamel.yaml gives what Python raises where a tag does not fit, as in `!!int ""`.
        raise InputError(f"{path}: not readable as YAML: {_in_short(error)}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: should be a mapping of names to values, is {document!r:.60}")
    return document


def _in_short(error: Exception) -> str:
    problem = getattr(error, "problem", None) or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    return f"{problem}, line {mark.line + 1}" if mark else str(problem)


def validate(model: type[Model], document: Any, path: Path, above: tuple[str, ...]) -> Model:
    """Make a part of the settings of what stands in a file.

    Parameters
    ----------
    model
        What it should be.
    document
        What was read.
    path, above
        The file, and the names above the part in it: where an error says that it is.

    Raises
    ------
    InputError
        If it is something else; it names every value that is wrong.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(_problems(error.errors(), above))
    raise InputError(f"{path}: {problems}")


def _problems(errors: list[ErrorDetails], above: tuple[str, ...]) -> Iterator[str]:
    """Say each error as name, value and what would be right; a misspelt name only once."""
    unused = {tuple(error["loc"]) for error in errors if error["type"] == "missing"}
    ordered = sorted(errors, key=lambda error: error["type"] != "extra_forbidden")
    for error in ordered:
        parents, last = error["loc"][:-1], error["loc"][-1:]
        if error["type"] == "missing" and tuple(error["loc"]) not in unused:
            continue
        name = ".".join([*above, *(str(part) for part in error["loc"] if part not in TAGS)])
        value = f"{redact_credentials(repr(error['input'])):.60}"
        if error["type"] == "extra_forbidden":
            candidates = [str(loc[-1]) for loc in unused if loc[:-1] == parents]
            meant = difflib.get_close_matches(str(*last), candidates, n=1)
            unused -= {(*parents, name) for name in meant}
            yield f"{name}: unknown name" + "".join(f", did you mean {name}?" for name in meant)
        elif error["type"] == "missing":
            yield f"{name}: missing"
        elif error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == NAME:
            yield f"{name}: is {value}, should be made of letters, digits, - and _ only"
        else:
            yield f"{name}: is {value}, {_what_is_right(error['msg'])}"


def _what_is_right(message: str) -> str:
    # What YAML has is a list, whatever it becomes here.
    message = message.replace("tuple", "list")
    # pydantic begins with "Input should", "Value error," and the like: the value stands before.
    return message[message.index("should") :] if "should" in message else message
