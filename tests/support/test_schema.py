"""What a section of a file may hold, and how what is wrong with it is named."""

from pathlib import Path
from typing import Any

import pytest

from support.command_line import InputError
from support.schema import (
    Fraction,
    Name,
    PositiveInteger,
    PositiveNumber,
    Sha256,
    StrictModel,
    load_json,
    validate,
)


class Section(StrictModel):
    """One value of each kind."""

    count: PositiveInteger
    size: PositiveNumber = 1.0
    share: Fraction = 0.0
    name: Name = "a"
    checksum: Sha256 = "0" * 64


PATH = Path("a.yaml")
PATTERN = "String should match pattern"


@pytest.mark.parametrize(
    "values",
    [
        {"count": 1, "size": 1e-300, "share": 0.0},
        {"share": 1.0, "size": 1},
        {"name": "9" + 63 * "_"},
        {"name": "A-b", "checksum": 32 * "9f"},
    ],
)
def test_the_smallest_and_largest_values_are_allowed(values: dict[str, Any]) -> None:
    document = {"count": 1} | values
    assert validate(Section, document, PATH).model_dump(include=set(document)) == document


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"count": 0}, "Input should be greater than 0, is 0"),
        ({"count": 1.0}, "Input should be a valid integer, is 1.0"),
        ({"count": "1"}, "Input should be a valid integer, is '1'"),
        ({"count": "x" * 99}, f"Input should be a valid integer, is '{'x' * 59}"),
        ({"size": 0}, "Input should be greater than 0, is 0"),
        ({"size": float("inf")}, "Input should be a finite number, is inf"),
        ({"share": 1.01}, "Input should be less than or equal to 1, is 1.01"),
        ({"share": -0.01}, "Input should be greater than or equal to 0, is -0.01"),
        ({"share": float("nan")}, "Input should be a finite number, is nan"),
        *(({"name": name}, PATTERN) for name in ("", "a.b", "-a", "a b", "9" * 65)),
        *(({"checksum": text}, PATTERN) for text in ("0" * 63, "0" * 65, "F" * 64)),
        ({"more": 1}, "unknown name"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_value(
    values: dict[str, Any], problem: str
) -> None:
    (name,) = values
    with pytest.raises(InputError) as error:
        validate(Section, {"count": 1} | values, PATH)
    assert str(error.value).startswith(f"a.yaml: {name}: {problem}")


def test_everything_that_is_wrong_is_in_one_line() -> None:
    """With the section of the file; a misspelt name is not missing as well."""
    with pytest.raises(InputError) as error:
        validate(Section, {"sizes": 2, "share": 2}, PATH, "part")
    assert str(error.value) == (
        "a.yaml: part.count: missing; part.share: Input should be less than or equal to 1, is 2; "
        "part.sizes: unknown name"
    )
    with pytest.raises(InputError, match=r"^a\.yaml: counts: unknown name, did you mean count\?$"):
        validate(Section, {"counts": 1}, PATH)
    with pytest.raises(InputError, match=r"^a\.yaml: part: Input should be a valid dict"):
        validate(Section, 3, PATH, "part")


def test_a_file_of_a_stage_is_loaded_as_it_was_written(tmp_path: Path) -> None:
    """It cannot be changed afterwards."""
    path = tmp_path / "a.json"
    section = Section(count=2, share=0.125)
    path.write_text(section.model_dump_json())
    loaded = load_json(Section, path)
    assert loaded == section
    with pytest.raises(ValueError, match="frozen"):
        loaded.count = 3
