"""Rows of several arrays read as rows of one."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.cache.rows import FileRows, Rows, RowsLost


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.data())
def test_rows_of_several_arrays_are_those_of_one(lengths: list[int], data: st.DataObject) -> None:
    arrays = tuple(np.random.default_rng(0).random((length, 2, 3)) for length in lengths)
    where = np.array([(number, row) for number, length in enumerate(lengths) for row in range(length)]).reshape(-1, 2)
    whole, rows = np.concatenate(arrays), Rows(arrays, where)
    assert (rows.shape, rows.dtype, len(rows)) == (whole.shape, whole.dtype, len(whole))
    if len(whole):
        chosen = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=10)), np.int64)
        np.testing.assert_array_equal(rows[chosen], whole[chosen])
        np.testing.assert_array_equal(rows.only(chosen)[np.arange(len(chosen))], whole[chosen])
        np.testing.assert_array_equal(rows[int(where.shape[0] - 1)], whole[-1])


@pytest.mark.parametrize("shape", [(3,), (2, 5), ()])
def test_rows_of_a_file_are_as_in_memory(shape: tuple[int, ...], tmp_path: Path) -> None:
    whole = np.random.default_rng(0).random((6, *shape)).astype(np.float16)
    np.save(tmp_path / "a.npy", whole)
    rows = FileRows(tmp_path / "a.npy")
    assert (rows.shape, rows.dtype, len(rows)) == (whole.shape, whole.dtype, 6)
    for wanted in (np.array([5, 0, 0]), np.array([], np.int64), np.int64(2), np.array([[1, 2], [3, 4]])):
        np.testing.assert_array_equal(rows[wanted], whole[wanted])
    with pytest.raises(IndexError):
        rows[np.array([6])]


def test_file_that_is_cut_off_is_an_error_and_does_not_end_the_process(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((6, 1000)))
    rows = FileRows(tmp_path / "a.npy")
    os.truncate(tmp_path / "a.npy", 5000)
    with pytest.raises(RowsLost, match="was cut off while a run read it"):
        rows[np.array([5])]
    with pytest.raises(ValueError, match="is not whole"):
        FileRows(tmp_path / "a.npy")
