"""Tables for spreadsheets: no formula runs, and reading them back loses nothing."""

import tempfile
from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from cxr.data.safe_csv import read_csv, write_csv

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8) | st.sampled_from(
    ["=1+1", "'=1", "''-a", "+", "@x", "'"]
)


@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_text_comes_back_and_no_cell_is_a_formula(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_csv(pd.DataFrame({"text": texts, "loss": -1.5}), path)
        table = read_csv(path)
        cells = pd.read_csv(path, dtype=str, keep_default_na=False)["text"]
    assert table["text"].tolist() == texts
    assert set(table["loss"]) == {"-1.5"}
    assert not cells.str.match(r"[=+\-@]").any()
