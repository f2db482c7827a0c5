"""Sections of files are checked as a whole, and each error names its place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from common.command_line import InputError
from common.schema import Name, PositiveInteger, StrictModel, validate


class Inner(StrictModel):
    """A section in a section."""

    size: PositiveInteger
    seed: int = 0


class Outer(StrictModel):
    """A section."""

    inner: Inner
    ids: Annotated[tuple[int, ...], Field(strict=False)] = ()
    names: dict[Name, Inner] = Field(default_factory=dict)


INNER = {"size": 1}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (3, "top: is 3, should be a valid dictionary or instance of Outer"),
        ({}, "top.inner: missing"),
        (
            {"inner": {"siz": 1}},
            "top.inner.siz: unknown name, did you mean size?",
        ),
        ({"inner": INNER | {"other": 1}}, "top.inner.other: unknown name"),
        (
            {"inner": {"size": 0}, "ids": 3},
            "top.inner.size: is 0, should be greater than 0; top.ids: is 3, should be a valid list",
        ),
        (
            {"inner": INNER, "names": {"a b": INNER}},
            "top.names.a b: is 'a b', should be made of letters, digits, - and _ only",
        ),
        (
            {"inner": {"size": "https://name:secret@host/"}},
            "top.inner.size: is 'https://host/', should be a valid integer",
        ),
    ],
)
def test_every_problem_is_named_in_one_line(document: object, problem: str) -> None:
    """The place, the value and what it should be; passwords are left out."""
    with pytest.raises(InputError) as error:
        validate(Outer, document, Path("a.yaml"), ("top",))
    assert str(error.value) == f"a.yaml: {problem}"


def test_a_correct_section_is_returned() -> None:
    """Values are those of the document; a list becomes a tuple."""
    outer = validate(Outer, {"inner": INNER, "ids": [1, 2]}, Path("a.yaml"))
    assert outer == Outer(inner=Inner(size=1), ids=(1, 2))
