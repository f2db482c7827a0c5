"""Settings and pictures that nobody meant: one line, never a traceback, nothing begun."""

from __future__ import annotations

import copy
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from conftest import CONTENTS, Folder, entry, synthetic_params
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from stages import handwriting
from stages.handwriting import PictureError

DOCUMENTS = 500
PICTURES = 300

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
def test_any_settings_are_followed_or_refused(folder: Folder, data: st.DataObject) -> None:
    """A stage runs to its end, or ends in one line that names a file, before it writes any."""
    folder.put("raw", CONTENTS)
    document = _mutated(data)
    folder.params, folder.datasets = document["params"], document["datasets"]
    try:
        folder.write()
    except (TypeError, ValueError):
        return  # no YAML can be written of it
    outcome = folder.run("flatten", "raw", "flat")
    made = folder.path / "flat"
    if outcome.status:
        assert 2 == outcome.status
        assert outcome.error().startswith(("params.yaml: ", "datasets.yaml: ", "raw/"))
        assert not made.exists()
    else:
        assert {"train.npz", "validation.npz", "test.npz"} == {path.name for path in made.iterdir()}
        for path in made.iterdir():
            path.unlink()
        made.rmdir()


def _pictures() -> list[bytes]:
    """Draw a digit and write it in each format."""
    drawn = Image.fromarray(np.kron(np.eye(12, dtype=np.uint8) * 200, np.ones((3, 3), np.uint8)))
    written = []
    for form in handwriting.FORMATS:
        file = BytesIO()
        drawn.save(file, form)
        written.append(file.getvalue())
    return written


ORIGINALS = _pictures()


@settings(max_examples=PICTURES, deadline=None)
@given(data=st.data())
def test_any_bytes_are_digits_or_refused(data: st.DataObject) -> None:
    """A picture with changed, missing or other bytes is read as digits or is a PictureError."""
    content = bytearray(data.draw(st.sampled_from(ORIGINALS) | st.binary(max_size=100)))
    for _ in range(data.draw(st.integers(0, 4)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    kept = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    try:
        images = handwriting.digits(handwriting.decode(BytesIO(content[:kept])))
    except PictureError as error:
        assert "\n" not in str(error)
        return
    assert (np.uint8, 784) == (images.dtype, images.shape[1])
    assert len(images)
