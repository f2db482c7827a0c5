"""Check the content of a file against a model; errors name the place and the value."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from common.command_line import InputError, redact_credentials

PositiveInteger = Annotated[int, Field(gt=0)]
PositiveNumber = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# The name of a run or a dataset is also that of a stage, a folder, a file and an experiment, and
# DVC splits parameters at dots.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


class StrictModel(BaseModel):
    """A section of a file: no unknown names, no conversions, no changes once it is read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Kind = TypeVar("Kind")


def validate(kind: type[Kind], document: Any, path: Path, above: tuple[str, ...] = ()) -> Kind:
    """Return what was read from a file as an object of some kind, such as a model.

    Raises InputError if it is something else. One line names every wrong value; it begins with the
    file, and with the names above the document if that is only a section of the file.
    """
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as error:
        problems = "; ".join(_problems(error.errors(), above))
    raise InputError(f"{path}: {problems}")


def load_json(kind: type[Kind], path: Path) -> Kind:
    """Load an object of some kind from a JSON file that a stage has written.

    Raises InputError if the file is missing or holds something else.
    """
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in first["loc"])
        raise InputError(f"{path}: {place}{first['msg']}; `dvc repro` makes it again") from None


def _problems(errors: list[ErrorDetails], above: tuple[str, ...]) -> Iterator[str]:
    """Describe each error; a misspelt name counts once, not as unknown and missing."""
    # A list whose items are wrong also counts as too short.
    errors = [
        error
        for error in errors
        if error["type"] != "too_short" or len(error["input"]) == error["ctx"]["actual_length"]
    ]
    missing = {error["loc"] for error in errors if error["type"] == "missing"}
    for error in errors:
        if error["type"] == "extra_forbidden":
            parents, name = error["loc"][:-1], str(error["loc"][-1])
            candidates = [str(place[-1]) for place in missing if place[:-1] == parents]
            suggestions = difflib.get_close_matches(name, candidates, n=1)
            missing -= {(*parents, suggestion) for suggestion in suggestions}
            hint = "".join(f", did you mean {suggestion}?" for suggestion in suggestions)
            yield f"{_place(error, above)}: unknown name{hint}"
    for error in errors:
        if error["type"] == "missing" and error["loc"] in missing:
            yield f"{_place(error, above)}: missing"
        elif error["type"] not in ("missing", "extra_forbidden"):
            value = redact_credentials(repr(error["input"]))
            yield f"{_place(error, above)}: is {value:.60}, {_expectation(error)}"


def _place(error: ErrorDetails, above: tuple[str, ...]) -> str:
    # pydantic adds "[key]" to the location of a wrong name.
    return ".".join([*above, *(str(part) for part in error["loc"] if part != "[key]")])


def _expectation(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == NAME_PATTERN:
        return "should be made of letters, digits, - and _ only"
    # YAML has lists only, whatever they become here.
    message = error["msg"].replace("tuple", "list")
    # pydantic begins with "Input should", "Value error," and the like.
    return message[message.index("should") :] if "should" in message else message
