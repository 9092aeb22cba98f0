"""Sources: read from the tables of the database, and how well they predict the label."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from cxr.data.image_list import image_list_of
from cxr.data.source_shortcut import source_shortcut
from cxr.data.tables.sources_beside import with_sources_of_tables
from cxr.errors import UserError


def test_tables_of_the_database_name_the_source_of_each_image(tmp_path: Path) -> None:
    """File names are spelled in other ways there than on disk: Normal-1 is NORMAL-1, and there may be spaces."""
    tables = {"COVID": (["COVID-1", "COVID-2"], ["https://a", " https://b "]), "Normal": (["NORMAL-1 "], ["https://a"])}
    for label, (names, urls) in tables.items():
        table = pd.DataFrame({"FILE NAME": names, "FORMAT": "PNG", "SIZE": "256*256", "URL": urls})
        table.to_excel(tmp_path / f"{label}.metadata.xlsx", index=False)
    paths = ["COVID/images/COVID-1.png", "COVID/images/COVID-2.png", "COVID/images/COVID-3.png", "Normal/images/Normal-1.png"]
    images = pd.DataFrame({"path": paths, "label": ["COVID"] * 3 + ["Normal"]})
    with_sources = with_sources_of_tables(image_list_of(tmp_path, ("COVID", "Normal"), images))
    assert list(with_sources.images["source"]) == ["https://a", "https://b", "", "https://a"]


def test_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "COVID.metadata.xlsx").write_bytes(b"no spreadsheet")
    with pytest.raises(UserError, match=r"COVID.metadata.xlsx can't be read as a table"):
        with_sources_of_tables(image_list_of(tmp_path, ("a", "b"), pd.DataFrame({"path": [], "label": []})))


def test_source_predicts_the_label_by_its_most_frequent_class() -> None:
    labels = pd.Series(["ill"] * 30 + ["well"] * 70)
    sources = pd.Series(["a"] * 25 + ["b"] * 5 + ["b"] * 60 + ["c"] * 10)
    shortcut = source_shortcut(labels, sources)
    assert shortcut is not None
    chi2 = chi2_contingency(pd.crosstab(labels, sources), correction=False).statistic
    assert shortcut.cramers_v == pytest.approx(np.sqrt(chi2 / 100))
    assert (shortcut.guessed, shortcut.guessed_blindly, shortcut.sources) == (0.95, 0.7, 3)


def test_images_of_unknown_source_do_not_count() -> None:
    labels = pd.Series(["ill", "well", "well"])
    assert source_shortcut(labels, pd.Series(["", "", ""])) is None
    two, one = (source_shortcut(labels, pd.Series(sources)) for sources in (["a", "b", ""], ["a", "a", ""]))
    assert two is not None
    assert (two.guessed, two.guessed_blindly) == (1.0, 0.5)
    assert one is not None
    assert "the same one" in one.text
