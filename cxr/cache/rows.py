"""Rows of one shape that lie in several arrays, as if they lay in one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """`rows[[3, 1]]` is a copy of two of them, (2, ...)."""

    arrays: tuple[NDArray[Any], ...]
    where: NDArray[np.int64]  # (n, 2): which array, which row of it

    @classmethod
    def of(cls, array: NDArray[Any]) -> "Rows":
        """All rows of one array."""
        return cls((array,), np.stack([np.zeros(len(array), np.int64), np.arange(len(array))], axis=1))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of each."""
        return (len(self.where), *self.arrays[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.arrays[0].dtype

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        where = self.where[rows]
        if len(self.arrays) == 1:
            return np.asarray(self.arrays[0][where[..., 1]])
        found = np.empty((*where.shape[:-1], *self.shape[1:]), self.dtype)
        for number, array in enumerate(self.arrays):
            mine = where[..., 0] == number
            found[mine] = array[where[mine][:, 1]]
        return found

    def only(self, rows: NDArray[np.int64]) -> "Rows":
        """Some of the rows, without copying any."""
        return Rows(self.arrays, self.where[rows])
