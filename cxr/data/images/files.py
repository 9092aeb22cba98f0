"""Reading whole files: only regular files, up to the size of the largest image."""

import errno
import os
import stat

from rich.filesize import decimal as in_bytes

from cxr.errors import UserError

MOST_BYTES = 400 * 10**6  # more than the largest image takes in colour, with 16 bits and uncompressed

# Errors of the file itself. Any other error is one of the machine, and the file is not taken for bad.
_OF_THE_FILE = {
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG),
    *(errno.ENXIO, errno.ENODEV, errno.EINVAL, errno.EFBIG, errno.EILSEQ),
}


def read_file(path: str) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: It is no regular file, or too large; with a reason.
        UserError: Reading fails for another reason, such as a network drive that is gone.
    """
    try:
        _check(os.stat(path))  # noqa: PTH116 - a set has many files, and a Path takes as long as to read one
        with open(path, "rb", buffering=0, opener=_at_once) as file:
            _check(opened := os.fstat(file.fileno()))
            return file.read(opened.st_size + 1)
    except OSError as error:
        if error.errno in _OF_THE_FILE:
            raise
        raise UserError(f"{path} can't be read now ({error.strerror}): try again") from None


def first_bytes(path: str, count: int) -> bytes:
    """The beginning of a regular file; nothing of anything else, and of a file that can't be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - as above
            return b""
        with open(path, "rb", buffering=0, opener=_at_once) as file:
            return file.read(count)
    except OSError:
        return b""


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for a writer, in case the name is now a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, "is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file, but a pipe, socket or device")
    if status.st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, f"{in_bytes(status.st_size)} are more than any chest radiograph has")
