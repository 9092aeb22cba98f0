"""`data.keep`: images are left out by the values of columns, and what would leave a class empty is refused."""

from pathlib import Path

import pandas as pd
import pytest

from cxr.data.image_list import image_list_of
from cxr.errors import UserError

TABLE = pd.DataFrame(
    {
        "path": ["a.png", "b.png", "c.png", "d.png"],
        "label": ["COVID", "COVID", "Normal", "Normal"],
        "source": ["one", "two", "two", "three"],
        "age": ["adult", "adult", "child", "adult"],
    }
)
IMAGES = image_list_of(Path(), ("COVID", "Normal"), TABLE)


def test_images_of_the_named_values_are_kept() -> None:
    assert IMAGES.keeping({"source": ["two"]}).paths == ("b.png", "c.png")
    assert IMAGES.keeping({"age": ["adult"], "source": ["one", "three"]}).paths == ("a.png", "d.png")
    assert IMAGES.keeping({}).paths == IMAGES.paths


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({"sorce": ["two"]}, "data.keep.sorce is no column of these images: did you mean source"),
        ({"source": ["tow"]}, "data.keep.source keeps tow, which no image has: did you mean two"),
        ({"source": ["one"]}, "data.keep leaves no image of Normal"),
    ],
)
def test_unknown_column_or_value_and_empty_class_are_refused(values: dict[str, list[str]], answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        IMAGES.keeping(values)
