from __future__ import annotations

import json

import numpy as np
import pytest

from extras.handwriting import study


def test_document_shows_what_was_measured() -> None:
    """The table in the document is that of the last measurement, and is not edited by hand."""
    measured = json.loads(study.MEASURED.read_text(encoding="utf-8"))
    document = study.DOCUMENT.read_text(encoding="utf-8")
    assert document == study.with_table(document, study.table(measured))


def test_measurement_keeps_its_promise() -> None:
    """On paper no run loses more than 2 points, of all ways of which the study tells."""
    measured = json.loads(study.MEASURED.read_text(encoding="utf-8"))
    assert ["not prepared", *study.WAYS] == list(measured)
    for run, accuracy in measured["not prepared"].items():
        if run != "not one digit":
            assert accuracy - measured["on paper"][run] <= study.MAX_LOSS


@pytest.mark.parametrize("way", list(study.WAYS))
def test_pictures_do_not_depend_on_how_the_work_is_cut(way: str) -> None:
    """What is random in a picture follows from its number alone."""
    images = np.zeros((3, 28, 28), np.uint8)
    images[:, 4:24, 12:16] = 255
    images = images.reshape(3, 784)
    whole = study.prepare(way, 7, images)
    parts = [study.prepare(way, 7 + i, images[[i]]) for i in range(3)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert whole.any(axis=1).all()
