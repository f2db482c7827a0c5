from contextlib import suppress

import numpy as np
import pytest

from extras.handwriting import study
from extras.handwriting.drawing import NO_INK, WAYS, without_ink
from extras.handwriting.pictures import PictureError
from extras.handwriting.preparation import prepare


def test_readme_shows_every_way_to_draw() -> None:
    """The table is that of the last measurement, with a row for each way."""
    document = study.README.read_text(encoding="utf-8")
    table = document.partition(study.BEGIN)[2].partition(study.END)[0]
    rows = table.partition("\n\n")[0].splitlines()[2:]
    titles = [row.split("|")[1].strip() for row in rows]
    lines = [f"{study.LINES}, each digit", f"{study.LINES}, the whole line"]
    assert titles == [study.PLAIN, *(way for way in WAYS if way != study.LINES), *lines]
    assert study.with_table(document, table) == document


@pytest.mark.parametrize("way", list(WAYS))
def test_picture_depends_on_its_number_only(way: str) -> None:
    """The work can be divided in any way, and every way to draw can be read again."""
    image = np.zeros((1, 28, 28), np.uint8)
    image[:, 4:24, 13:16] = 255
    image[:, 4:7, 8:20] = 255
    first, again, other = (study.redraw(way, n, image.reshape(1, 784)) for n in (7, 7, 8))
    assert np.array_equal(first, again)
    assert first[0].any()
    assert way == "as they are" or not np.array_equal(first, other)


@pytest.mark.parametrize("kind", NO_INK)
def test_picture_without_ink_is_hardly_ever_read(kind: str) -> None:
    """At most one of ten pictures of each kind is taken for digits."""
    read = 0
    for seed in range(10):
        with suppress(PictureError):
            prepare(without_ink(kind, np.random.default_rng(seed)))
            read += 1
    assert read <= 1
