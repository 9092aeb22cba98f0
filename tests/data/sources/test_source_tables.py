"""Sources: read from the tables of the database, and how well they predict the label."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from cxr.data.image_list import image_list_of
from cxr.data.source_shortcut import source_shortcut
from cxr.data.sources.source_tables import with_sources_of_tables
from cxr.errors import UserError


def test_the_databases_tables_name_the_source_of_each_image(tmp_path: Path) -> None:
    """File names are spelled in other ways there than on disk: Normal-1 is NORMAL-1, and there may be spaces."""
    columns = {"FORMAT": "PNG", "SIZE": "256*256"}
    pd.DataFrame({"FILE NAME": ["COVID-1", "COVID-2"], **columns, "URL": ["https://a", " https://b "]}).to_excel(
        tmp_path / "COVID.metadata.xlsx", index=False
    )
    pd.DataFrame({"FILE NAME": ["NORMAL-1 "], **columns, "URL": ["https://a"]}).to_excel(
        tmp_path / "Normal.metadata.xlsx", index=False
    )
    paths = ["COVID/images/COVID-1.png", "COVID/images/COVID-2.png", "COVID/images/COVID-3.png", "Normal/images/Normal-1.png"]
    images = pd.DataFrame({"path": paths, "label": ["COVID"] * 3 + ["Normal"]})
    found = with_sources_of_tables(image_list_of(tmp_path, ("COVID", "Normal"), images))
    assert list(found.images["source"]) == ["https://a", "https://b", "", "https://a"]


def test_a_table_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "COVID.metadata.xlsx").write_bytes(b"no spreadsheet")
    with pytest.raises(UserError, match=r"COVID.metadata.xlsx can't be read as a table"):
        with_sources_of_tables(image_list_of(tmp_path, ("a", "b"), pd.DataFrame({"path": [], "label": []})))


def test_what_a_source_tells_of_the_label() -> None:
    labels = pd.Series(["ill"] * 30 + ["well"] * 70)
    sources = pd.Series(["a"] * 25 + ["b"] * 5 + ["b"] * 60 + ["c"] * 10)
    found = source_shortcut(labels, sources)
    assert found is not None
    chi2 = chi2_contingency(pd.crosstab(labels, sources), correction=False).statistic
    assert found.cramers_v == pytest.approx(np.sqrt(chi2 / 100))
    assert (found.guessed, found.guessed_blindly, found.sources) == (0.95, 0.7, 3)


def test_images_of_unknown_source_say_nothing() -> None:
    labels, sources = pd.Series(["ill", "well", "well"]), pd.Series(["a", "b", ""])
    found = source_shortcut(labels, sources)
    assert found is not None
    assert (found.guessed, found.guessed_blindly) == (1.0, 0.5)
    assert source_shortcut(labels, pd.Series(["", "", ""])) is None
    one = source_shortcut(labels, pd.Series(["a", "a", ""]))
    assert one is not None
    assert "the same one" in one.text
