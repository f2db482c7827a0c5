from __future__ import annotations

import numpy as np
import pytest

from extras.handwriting import study
from extras.handwriting.drawing import WAYS


def test_readme_shows_every_way_to_draw() -> None:
    """The table is that of the last measurement, with a row for each way."""
    document = study.README.read_text(encoding="utf-8")
    table = document.partition(study.BEGIN)[2].partition(study.END)[0]
    titles = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    lines = [f"{study.LINES}, each digit", f"{study.LINES}, the whole line"]
    assert titles == [study.PLAIN, *(way for way in WAYS if way != study.LINES), *lines]
    assert study.with_table(document, table) == document


@pytest.mark.parametrize("way", list(WAYS))
def test_pictures_do_not_depend_on_how_the_work_is_divided(way: str) -> None:
    """What is random in a picture follows from its number only."""
    images = np.zeros((3, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    images[:, 4:7, 8:20] = 255
    pictures = [image.reshape(1, 784) for image in images]
    whole = study.redraw(way, 7, pictures)
    divided = [study.redraw(way, 7 + i, [picture]) for i, picture in enumerate(pictures)]
    for index in (0, 1):
        assert np.array_equal(whole[index], np.concatenate([part[index] for part in divided]))
    assert whole[0].any()
