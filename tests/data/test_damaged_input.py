"""Damaged and made-up DICOM files and tables: read, or rejected in one line that names no patient."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.config.schema import ColumnsConfig, DataConfig
from cxr.data.image_list import COLUMNS
from cxr.data.images.image_file import decode
from cxr.data.sources.tables import read_table
from cxr.errors import UserError

CELLS = (
    st.text(max_size=8)
    | st.sampled_from(
        ["nan", "NA", "-1", "1e999", "=1", '"', "a\nb", "a\rb", "\0", "\u2028", "\x1b[31m", "\ufeff", "e\u0301", "ill "]
    )
    | st.sampled_from(
        ["..", "../a/0.png", "a/../../b", "/etc/passwd", "C:\\a\\1.png", "./a/0.png", "a//0.png", "a/", "a/" * 3000, "x" * 140_000]
    )
)
HEADERS = ["path", "label", "source", "group", "split", "sha256", "width", "path ", "Path", ""]
CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.binary(max_size=4)), max_size=6)


def damaged(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """The content where, for each change, some bytes at a place give way to others."""
    for place, removed, inserted in changes:
        place %= len(content) + 1
        content = content[:place] + inserted + content[place + removed :]
    return content


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"])
def test_damaged_dicom_is_read_or_rejected_in_one_line(syntax: str) -> None:
    from pydicom.uid import UID

    from tests.data.images.test_dicom import dicom

    intact = dicom(syntax=UID(syntax))

    @given(CHANGES)
    def check(changes: list[tuple[int, int, bytes]]) -> None:
        pixels, facts = decode(damaged(intact, changes), 32)
        assert (pixels is None) == isinstance(facts, str)
        message = facts if isinstance(facts, str) else facts.mode
        assert message.isprintable()
        assert 0 < len(message) < 1000
        assert "Doe" not in message

    check()


def csv_file(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, errors="replace")


def parquet_file(table: pd.DataFrame, path: Path) -> None:
    table.loc[:, ~table.columns.duplicated()].to_parquet(path)


def excel_file(table: pd.DataFrame, path: Path) -> None:
    printable = [
        ["".join(filter(str.isprintable, text)).encode("utf-8", "replace").decode() for text in row] for row in table.values
    ]
    pd.DataFrame(printable, columns=table.columns).to_excel(path, index=False)


WRITERS = [(".csv", csv_file), (".parquet", parquet_file), (".xlsx", excel_file)]


@pytest.mark.parametrize(("suffix", "write"), WRITERS, ids=["csv", "parquet", "excel"])
def test_table_of_any_content_is_read_or_rejected_in_one_line(suffix: str, write: Callable[[pd.DataFrame, Path], None]) -> None:
    @given(
        st.lists(st.sampled_from(HEADERS), min_size=1, max_size=8),
        st.lists(st.lists(CELLS, min_size=8, max_size=8), max_size=4),
        CHANGES | st.just([]),
        st.sampled_from([[], ["age"], ["path"]]),
    )
    def check(headers: list[str], rows: list[list[str]], changes: list[tuple[int, int, bytes]], more: list[str]) -> None:
        intact = [
            [f"{'ab'[row % 2]}/{row}.png", ("ill", "well")[row % 2], "s", f"g{row}", "train", "0" * 64, "32", ""]
            for row in range(4)
        ]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"table{suffix}"
            write(pd.DataFrame([row[: len(headers)] for row in (*intact, *rows)], columns=headers), file)
            file.write_bytes(damaged(file.read_bytes(), changes))
            data = DataConfig(root=folder, manifest=str(file), columns=ColumnsConfig(more=more), on_bad_image="skip")
            try:
                images = read_table(file, Path(folder), data)
            except UserError as error:
                lines = str(error).splitlines()
            else:
                lines = []
        if lines:
            assert len(lines) == 1
            return
        assert set(COLUMNS) <= set(images.images.columns)
        assert all(isinstance(cell, str) for cell in images.images.to_numpy().ravel())
        assert not any(path.startswith("/") or ".." in Path(path).parts for path in images.paths)

    check()
