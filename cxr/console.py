"""Standard output and error that may go away while a run goes on: a closed pipe, a dead terminal, a full disk."""

import io
import os
import sys


class _Unbreakable(io.FileIO):
    """A stream of the system's that takes everything: what can't be written any more is dropped."""

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """As if all of it had been written."""
        try:
            return super().write(data) or 0
        except BlockingIOError:
            return 0  # try again
        except OSError:
            return len(data)


def keep_going_without_output() -> None:
    """From here on a line that nobody can read ends nothing: to print must never cost a training."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # closed before the process began: what is opened next must not take its number
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            stream = io.TextIOWrapper(io.FileIO(number, "wb", closefd=False), encoding="utf-8", write_through=True)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
            continue
        if stream is not getattr(sys, f"__{name}__"):
            continue  # somebody else's already, such as a test's
        raw = _Unbreakable(stream.fileno(), "wb", closefd=False)
        by_line = stream.line_buffering or name == "stderr"
        safe = io.TextIOWrapper(
            io.BufferedWriter(raw),  # type: ignore[type-var]
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=by_line,
            write_through=name == "stderr",
        )
        stream.flush()
        setattr(sys, name, safe)
