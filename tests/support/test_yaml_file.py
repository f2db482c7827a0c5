"""What YAML is read as, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.command_line import InputError
from support.yaml_file import read_yaml

# Scalars on which YAML 1.1 and 1.2 differ, and pieces of which such scalars are made.
SCALARS = """1e-8 1.0e-8 1E5 .5 5. 1_000 0o17 017 0x1F 0b11 +1 1:30 12:30:45 yes no on off y n true
True TRUE false null Null ~ .inf -.INF .nan 2026-11-25 << 1.2.3 0x 0o8 _1 1__0 1e5 -.5e+3 .0E0"""
NUMBERS = st.text("0123456789_.+-eExob:", min_size=1, max_size=8)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a file to write."""
    return tmp_path_factory.mktemp("yaml") / "a.yaml"


def read_as_dvc(text: str) -> Any:
    from dvc.utils.serialize import parse_yaml  # DVC takes a second to start

    return parse_yaml(text, "a.yaml")


@given(scalar=st.sampled_from(SCALARS.split()) | NUMBERS)
def test_what_is_no_text_is_what_dvc_takes_it_for(path: Path, scalar: str) -> None:
    """A number in a setting is the number that DVC watches; settings refuse text."""
    path.write_text(f"name: {scalar}\n")
    try:
        value = read_yaml(path)["name"]
    except InputError:
        return
    if not isinstance(value, str):
        expected = read_as_dvc(path.read_text())["name"]
        assert (type(value), value) == (type(expected), expected)


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        *(("1e-8", 1e-8), ("1.0E-8", 1e-8), ("-.5e+3", -500.0), ("5.", 5.0), ("-3", -3), ("+0", 0)),
        *(
            ("true", True),
            ("false", False),
            ("null", None),
            ("~", None),
            ("", None),
            ("017", "017"),
        ),
    ],
)
def test_a_scalar_is_read_as_its_plain_notation(path: Path, scalar: str, expected: object) -> None:
    path.write_text(f"name: {scalar}\n")
    value = read_yaml(path)["name"]
    assert (type(value), value) == (type(expected), expected)


def test_a_document_is_what_dvc_takes_it_for(path: Path) -> None:
    """Merges, lists, blocks and names that are numbers, too."""
    content = "a: &x {b: [1, 2.0]}\nc: {<<: *x, d: null}\ne: >-\n  one\n  line\n1: one\n1.5: more\n"
    path.write_text(content)
    assert read_yaml(path) == read_as_dvc(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "not found in .*; run from the root"),
        (b"", "should be a mapping of names to values, is None"),
        (b"- 1\n", r"should be a mapping of names to values, is \[1\]"),
        (b"a: [\n", "not readable as YAML: .*, line 2"),
        (b"a: 1\nb: 2\na: 3\n", "not readable as YAML: 'a' occurs twice, line 3"),
        (b"a: {b: 1, b: 2}\n", "not readable as YAML: 'b' occurs twice, line 1"),
        (b"a: 1\n---\nb: 2\n", "not readable as YAML: but found another document, line 2"),
        (
            b"<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n",
            "not readable as YAML: merge conflicts to resolve, line",
        ),
        (b"a: !!int ''\n", "not readable as YAML: "),
        (b"a: !!python/name:os.system\n", "not readable as YAML: could not determine"),
        (b"\xff\xfe\x00", "not readable as YAML: 'utf-8' codec can't decode"),
        (b"\0", "not readable as YAML: "),
    ],
)
def test_a_wrong_file_is_refused(content: bytes | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {problem}"):
        read_yaml(path)


@pytest.mark.fault
@given(content=st.binary() | st.text("ab:-?[]{}!&*|>'\"%@#,\n 01.~<").map(str.encode))
def test_any_bytes_are_a_mapping_or_an_input_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        assert isinstance(read_yaml(path), dict)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")
