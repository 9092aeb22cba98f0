"""Rows of one shape, stored in several arrays in memory or on disk, read as one array."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RowsLost(Exception):
    """A file of rows has become shorter, or can no longer be read; the text names it."""


class FileRows:
    """An array (n, ...) in a `.npy` file, read row by row.

    A memory map would do the same, and end the process without a word where another program cuts the file off.
    """

    def __init__(self, path: Path) -> None:
        """Raises `OSError` or `ValueError` for a file that is not such an array, or incomplete."""
        with path.open("rb") as file:
            major, _ = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
            self.shape, by_columns, self.dtype = read(file)
            if by_columns or self.dtype.hasobject or not self.shape:
                raise ValueError(f"{path} holds no rows")
            self._start, self._row = file.tell(), int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
            stat = os.fstat(file.fileno())
            if stat.st_size != self._start + self.shape[0] * self._row:
                raise ValueError(f"{path} is not whole")
            self.identity = stat.st_dev, stat.st_ino, stat.st_size
            self._file = os.dup(file.fileno())
        self.path = path

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Copies of the rows of these numbers, (..., *row); raises `RowsLost`."""
        wanted = np.asarray(rows, np.int64)
        copies = np.empty((wanted.size, *self.shape[1:]), self.dtype)
        if wanted.size and self._row:
            memory = copies.reshape(-1).view(np.uint8)
            for place, row in enumerate(wanted.ravel().tolist()):
                self._read(row, memory[place * self._row : (place + 1) * self._row])
        return copies.reshape((*wanted.shape, *self.shape[1:]))

    def _read(self, row: int, into: NDArray[np.uint8]) -> None:
        if not 0 <= row < len(self):
            raise IndexError(f"there is no row {row} among {len(self)}")
        try:
            count = os.preadv(self._file, [into.data], self._start + row * self._row)
        except OSError as error:
            raise RowsLost(f"{self.path} can't be read any more ({error.strerror})") from None
        if count != self._row:
            raise RowsLost(f"{self.path} was cut off while a run read it")

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


@dataclass(frozen=True)
class Rows:
    """`rows[[3, 1]]` is a copy of two of them, (2, ...); raises `RowsLost` if one of their files has become shorter."""

    arrays: tuple[NDArray[Any] | FileRows, ...]
    where: NDArray[np.int64]  # (n, 2): which array, which row of it

    @classmethod
    def of(cls, array: NDArray[Any]) -> "Rows":
        """All rows of one array.

        Args:
            array: (n, ...).
        """
        return cls((array,), np.stack([np.zeros(len(array), np.int64), np.arange(len(array))], axis=1))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of each."""
        return (len(self.where), *self.arrays[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return self.arrays[0].dtype

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        where = self.where[rows]
        if len(self.arrays) == 1:
            return np.asarray(self.arrays[0][where[..., 1]])
        copies = np.empty((*where.shape[:-1], *self.shape[1:]), self.dtype)
        for number, array in enumerate(self.arrays):
            mine = where[..., 0] == number
            copies[mine] = array[where[mine][:, 1]]
        return copies

    def replaced(self, places: NDArray[np.int64], others: "Rows") -> "Rows":
        """The same rows, but others at some places, without copying any.

        Args:
            places: (k,).
            others: k rows.
        """
        where = self.where.copy()
        where[places] = others.where + np.array([len(self.arrays), 0])
        return Rows(self.arrays + others.arrays, where)

    def only(self, rows: NDArray[np.int64]) -> "Rows":
        """Some of the rows, without copying any.

        Args:
            rows: (k,).
        """
        return Rows(self.arrays, self.where[rows])
