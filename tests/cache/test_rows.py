"""Rows of several arrays are as rows of one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxr.cache.rows import Rows


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.data())
def test_rows_of_several_arrays_are_as_of_one(lengths: list[int], data: st.DataObject) -> None:
    arrays = tuple(np.random.default_rng(0).random((length, 2, 3)) for length in lengths)
    where = np.array([(number, row) for number, length in enumerate(lengths) for row in range(length)]).reshape(-1, 2)
    whole, rows = np.concatenate(arrays), Rows(arrays, where)
    assert (rows.shape, rows.dtype, len(rows)) == (whole.shape, whole.dtype, len(whole))
    if len(whole):
        chosen = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=10)), np.int64)
        np.testing.assert_array_equal(rows[chosen], whole[chosen])
        np.testing.assert_array_equal(rows.only(chosen)[np.arange(len(chosen))], whole[chosen])
        np.testing.assert_array_equal(rows[int(where.shape[0] - 1)], whole[-1])
