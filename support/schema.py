"""Check the content of a file against a model; errors name the file, the place and the value."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from support.command_line import InputError, redact_credentials
from support.files import reading

PositiveInteger = Annotated[int, Field(gt=0)]
PositiveNumber = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# The name of a run or a dataset is also that of a stage, a folder, a file and an experiment, and
# DVC splits parameters at dots.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class StrictModel(BaseModel):
    """A section of a file: no unknown names, no conversions, no changes once it is read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Kind = TypeVar("Kind")


def validate(kind: type[Kind], document: Any, path: Path, section: str = "") -> Kind:
    """Validate a document against a type; raises InputError with every wrong value in one line.

    `section` is the place of the document in the file, such as ``model``.
    """
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as error:
        problems = "; ".join(_problems(error, section))
    raise InputError(f"{path}: {problems}")


def load_json(kind: type[Kind], path: Path) -> Kind:
    """Load a JSON file that a stage has written; raises InputError if it is something else."""
    with reading(path):
        return TypeAdapter(kind).validate_json(path.read_bytes())


def _problems(failure: ValidationError, section: str) -> Iterator[str]:
    """Describe each error; a misspelt name counts once, not as unknown and missing."""
    errors = failure.errors()
    missing = {str(error["loc"][-1]) for error in errors if error["type"] == "missing"}
    unknown = [str(error["loc"][-1]) for error in errors if error["type"] == "extra_forbidden"]
    similar = {name: difflib.get_close_matches(name, missing, n=1) for name in unknown}
    misspelt = {name for names in similar.values() for name in names}
    for error in errors:
        place = ".".join(filter(None, [section, *map(str, error["loc"])]))
        name = str(error["loc"][-1]) if error["loc"] else ""
        if error["type"] == "extra_forbidden":
            yield f"{place}: unknown name" + "".join(
                f", did you mean {it}?" for it in similar[name]
            )
        elif error["type"] != "missing":
            value = redact_credentials(repr(error["input"]))
            yield f"{place}: {error['msg']}, is {value:.60}"
        elif name not in misspelt:
            yield f"{place}: missing"
