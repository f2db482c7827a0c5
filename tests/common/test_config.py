"""What a user may change, and what is said when it is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.fixtures import (
    CLASSES,
    ITERATIONS,
    ROOT,
    SHAPE,
    Workspace,
    entry,
    synthetic_params,
    yaml,
)
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.command_line import InputError
from common.config import load_config


def test_the_settings_of_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """params.yaml and datasets.yaml as they are in git are valid, and say MNIST."""
    monkeypatch.chdir(ROOT)
    loaded = load_config()
    assert loaded.dataset_name == "mnist"
    assert loaded.dataset.image_shape == (28, 28)
    assert sum(f.bytes for f in loaded.dataset.files.values()) == 70_000 * 785 + 2 * 16 + 2 * 8


@pytest.mark.usefixtures("folder")
def test_settings_are_read_as_they_stand() -> None:
    """Every number arrives as it was written, 1.0e-8 as a number too."""
    loaded = load_config()
    assert {name: run.iterations for name, run in loaded.runs.items()} == ITERATIONS
    assert (loaded.dataset.image_shape, len(loaded.dataset.classes)) == (SHAPE, CLASSES)
    assert loaded.train.epsilon == 1e-8
    assert loaded.run("long") is loaded.runs["long"]


@pytest.mark.usefixtures("folder")
def test_settings_cannot_change_after_loading() -> None:
    """A stage that would write to them fails."""
    with pytest.raises(ValueError, match="frozen"):
        load_config().train.seed = 2  # type: ignore[misc]


@pytest.mark.usefixtures("folder")
def test_an_unknown_run_is_named_with_those_there_are() -> None:
    """The error lists what could have been meant."""
    with pytest.raises(InputError, match="no run 'lang', there are: short, long"):
        load_config().run("lang")


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("dataset", "mnits", "dataset: 'mnits' is not in datasets.yaml: synthetic"),
        ("dataset", 3, "dataset: is 3, should be a valid string"),
        ("dataset", "a.b", "dataset: is 'a.b', should be made of letters, digits, - and _ only"),
        ("runs", {}, "runs: is {}, should have at least 1 item"),
        ("runs", None, "runs: is None, should be"),
        ("runs.a/b", {}, "runs.a/b: is 'a/b', should be made of letters, digits, - and _ only"),
        ("runs.short.iterations", 0, "runs.short.iterations: is 0, should be greater than 0"),
        ("runs.short.iterations", 1.5, "runs.short.iterations: is 1.5, should be"),
        ("runs.short.iterations", True, "runs.short.iterations: is True, should be"),
        ("runs.short.iterations", "10", "runs.short.iterations: is '10', should be"),
        ("runs.short.min_test_accuracy", 1.01, "min_test_accuracy: is 1.01, should be less than"),
        ("runs.short.iteration", 5, "runs.short.iteration: unknown name"),
        ("flatten.validation_examples", 0, "flatten.validation_examples: is 0, should be greater"),
        ("train.learning_rate", -0.1, "train.learning_rate: is -0.1, should be greater than 0"),
        ("train.learning_rate", float("inf"), "train.learning_rate: is inf, should be a finite"),
        ("train.learning_rate", float("nan"), "train.learning_rate: is nan, should be"),
        ("train.beta_1", 1, "train.beta_1: is 1, should be less than 1"),
        ("train.hidden_units", [128, "64"], "train.hidden_units.1: is '64', should be"),
        ("train.hidden_units", 128, "train.hidden_units: is 128, should be"),
        ("train.seed", -1, "train.seed: is -1, should be greater than or equal to 0"),
        ("extra", 1, "extra: unknown name"),
    ],
)
def test_a_wrong_parameter_is_named(
    workspace: Workspace, where: str, value: Any, said: str
) -> None:
    """The error says the file, the parameter, what it is, and what would be right."""
    *parents, last = where.split(".")
    section = workspace.params
    for parent in parents:
        section = section[parent]
    section[last] = value
    workspace.write()
    with pytest.raises(InputError) as raised:
        load_config()
    assert str(raised.value).startswith("params.yaml: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d: d["sources"].insert(0, {"url": "http://example.org/{file}"}),
            "sources.0.url: is 'http://example.org/{file}', should start with https:// or file:",
        ),
        (
            lambda d: d["sources"].append({"url": "ftp://127.0.0.1/{file}"}),
            "sources.1.url: is 'ftp://127.0.0.1/{file}', should start with https:// or file:",
        ),
        (
            lambda d: d["sources"].append({"url": "http://127.0.0.1:80@example.org/{file}"}),
            "should start with https:// or file:",
        ),
        (lambda d: d["sources"].append({"url": "https://[/{file}"}), "sources.1.url: is "),
        (lambda d: d["sources"].append({"url": "https://x/"}), "sources.1.url: is 'https://x/'"),
        (lambda d: d["sources"].append(3), "sources.1: is 3, should be"),
        (lambda d: d["sources"].append({"package": 3}), "sources.1.package: is 3, should be"),
        (lambda d: d.update(sources=[]), "sources: is [], should have at least 1 item"),
        (lambda d: d["files"].pop("t10k-labels-idx1-ubyte"), "should have t10k-labels-idx1-ubyte"),
        (
            lambda d: d["files"].update({"t10k": {"bytes": 1, "sha256": "0" * 64}}),
            "files.t10k: is 't10k', should be 'train-images-idx3-ubyte', ",
        ),
        (
            lambda d: d["files"]["t10k-labels-idx1-ubyte"].update(sha256="0" * 63),
            "files.t10k-labels-idx1-ubyte.sha256: is '000",
        ),
        (
            lambda d: d["files"]["t10k-labels-idx1-ubyte"].update(bytes=0),
            "files.t10k-labels-idx1-ubyte.bytes: is 0, should be greater than 0",
        ),
        (lambda d: d.update(image_shape=[28]), "image_shape.1: missing"),
        (lambda d: d.update(classes=["0"]), "classes: is ['0'], should have at least 2 items"),
        (lambda d: d.update(clases=d.pop("classes")), "clases: unknown name, did you mean classes"),
    ],
)
def test_a_wrong_dataset_is_named(
    workspace: Workspace, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    """The error says the dataset, its part, and what would be right."""
    change(workspace.datasets["synthetic"])
    workspace.write()
    with pytest.raises(InputError) as raised:
        load_config()
    assert str(raised.value).startswith("datasets.yaml: synthetic")
    assert said in str(raised.value)


def test_a_dataset_that_is_no_mapping_is_named(workspace: Workspace) -> None:
    """Every entry is checked, also one that is not used."""
    workspace.datasets["other"] = 3  # type: ignore[assignment]
    workspace.write()
    with pytest.raises(InputError, match=r"^datasets\.yaml: other: is 3, should be"):
        load_config()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/{file}.gz",
        "http://127.0.0.1:8000/{file}",
        "http://localhost/{file}",
        "file:data/{file}",
        "file:///data/{file}",
    ],
)
def test_an_address_of_a_source(workspace: Workspace, url: str) -> None:
    """HTTPS, a path, and HTTP on loopback are sources."""
    workspace.datasets["synthetic"] = entry(url)
    workspace.write()
    assert url.replace("{file}", "*") == str(load_config().dataset.sources[0])


@pytest.mark.parametrize("name", ["params.yaml", "datasets.yaml"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "not found in .*; run from the root"),
        (b"", "should be a mapping of names to values, is None"),
        (b"- 1\n", r"should be a mapping of names to values, is \[1\]"),
        (b"a: [\n", "not readable as YAML: .*, line 2"),
        (b"a: 1\nb: 2\na: 3\n", 'not readable as YAML: found duplicate key "a".*, line 3'),
        (b"a: 1\n---\nb: 2\n", "not readable as YAML: but found another document, line 2"),
        (b"a: !!int ''\n", "not readable as YAML: IndexError"),
        (b"a: !!bool maybe\n", "not readable as YAML: KeyError"),
        (b"a: !!python/name:os.system\n", "not readable as YAML: could not determine"),
        (b"a: " + b"[" * 600, "not readable as YAML: "),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"\0", "not readable as YAML: "),
    ],
)
def test_a_file_that_is_not_settings(
    workspace: Workspace, name: str, content: bytes | None, said: str
) -> None:
    """The error names the file, and the line where there is one."""
    if content is None:
        (workspace.path / name).unlink()
    else:
        (workspace.path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"^{name}: {said}") as raised:
        load_config()
    assert "\n" not in str(raised.value)


SCALARS = st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(SCALARS, v, max_size=3)
)


def _places(document: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [place, *(found for key, value in inside for found in _places(value, (*place, key)))]


PLAIN = {"params": synthetic_params(), "datasets": {"synthetic": entry("file:{file}")}}


# One folder for all examples: each writes its files anew. ruamel.yaml takes 20 ms for both.
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_mutated_document_is_settings_or_an_input_error(
    workspace: Workspace, data: st.DataObject
) -> None:
    """Whatever stands at whichever place, nothing but InputError is raised."""
    document = {"all": copy.deepcopy(PLAIN)}
    *parents, last = ("all", *data.draw(st.sampled_from(_places(PLAIN)[1:])))
    section: Any = document
    for parent in parents:
        section = section[parent]
    section[last] = data.draw(VALUES)
    for name, content in document["all"].items():
        with (workspace.path / f"{name}.yaml").open("w", encoding="utf-8") as file:
            yaml().dump(content, file)
    try:
        load_config()
    except InputError as error:
        assert str(error).startswith(("params.yaml: ", "datasets.yaml: "))


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary() | st.text(alphabet="ab:-?[]{}!&*|>'\"%@#,\n 01.~<").map(str.encode))
def test_any_bytes_are_settings_or_an_input_error(workspace: Workspace, content: bytes) -> None:
    """No file is so wrong that anything but InputError is raised."""
    (workspace.path / "params.yaml").write_bytes(content)
    with pytest.raises(InputError, match=r"^params\.yaml: "):
        load_config()
