"""Settings that nobody meant: one line, never a traceback, nothing begun."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.fixtures import RAW_FILES, Workspace, entry, synthetic_params
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DOCUMENTS = 500

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.integers(-2, 600)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["synthetic", "https://{file}", "file:{file}", "../..", "1e-3", "0" * 64])
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(SCALARS, v, max_size=3)
)


def _places(document: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the way to every value of a document, the document's own first."""
    inside: Any = ()
    if isinstance(document, dict):
        inside = document.items()
    elif isinstance(document, list):
        inside = enumerate(document)
    return [place, *(found for key, value in inside for found in _places(value, (*place, key)))]


PLAIN = {"params": synthetic_params(), "datasets": {"synthetic": entry("file:{file}")}}
PLACES = [place for place in _places(PLAIN) if len(place) > 1]


def _mutated(data: st.DataObject) -> dict[str, Any]:
    """Change, add or take away one to three values of valid settings."""
    document: dict[str, Any] = copy.deepcopy(PLAIN)
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, last = data.draw(st.sampled_from(PLACES))
        section: Any = document
        try:
            for parent in parents:
                section = section[parent]
            how = data.draw(st.sampled_from(["change", "add", "take away"]))
            if how == "change":
                section[last] = data.draw(VALUES)
            elif how == "add":
                section[data.draw(SCALARS)] = data.draw(VALUES)
            else:
                del section[last]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has taken its place away
    return document


@pytest.mark.slow
@settings(
    max_examples=DOCUMENTS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_settings_are_followed_or_refused(
    workspace: Workspace, record_property: Callable[[str, object], None], data: st.DataObject
) -> None:
    """A stage runs to its end, or ends in one line that names a file, before it writes any."""
    workspace.put("raw", RAW_FILES)
    document = _mutated(data)
    workspace.params, workspace.datasets = document["params"], document["datasets"]
    try:
        workspace.write()
    except (TypeError, ValueError):
        return  # no YAML can be written of it
    record_property("faults", 1)
    outcome = workspace.run("flatten", "raw", "flat")
    made = workspace.path / "flat"
    if outcome.status:
        assert outcome.status == 2
        assert outcome.error().startswith(("params.yaml: ", "datasets.yaml: ", "raw/"))
        assert not made.exists()
    else:
        assert {"train.npz", "validation.npz", "test.npz"} == {path.name for path in made.iterdir()}
        for path in made.iterdir():
            path.unlink()
        made.rmdir()
