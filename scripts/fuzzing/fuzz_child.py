"""The process that reads inputs: it works through cases and reports the outcome of each."""

import os
import resource
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from fuzz_cases import LIMIT, TABLES, Case, Inputs, file_of, rng_of
from fuzz_contract import PEAK_BYTES, SECONDS, check_image, check_limit, check_table

from cxr.data.images.image_file import decode

ADDRESS_SPACE = 8 * 2**30  # beyond it this process runs out of memory, and not the machine


@dataclass(frozen=True)
class Outcome:
    """What became of a case: its seconds, the highest memory of its process until then, and what was wrong with a traceback."""

    seconds: float = 0.0
    peak: int = 0
    read: bool = False
    wrong: str = ""
    trace: str = ""


def work(pipe: Connection, cases: list[Case], seed: int, folder: Path, keep: Path | None) -> None:
    """Send an empty outcome when all is ready, and then the outcome of each case, until one took too much memory.

    The file of a case is written to `keep`, and deleted if nothing was wrong: it is still there where this process crashed.
    """
    warnings.simplefilter("ignore")
    inputs = Inputs({kind for kind, _ in cases}, folder)
    for form in inputs.forms.values():
        for parts in form.bases:
            with suppress(Exception):
                decode(form.join(Random(0), parts), None)  # noqa: S311 - imports what reads it
    if find_spec("pydicom"):
        import_module("pydicom.pixels.processing")  # as no time of the first case
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries in C write there
    pipe.send(Outcome())
    for case in cases:
        rng = rng_of(case, seed)
        content = inputs.content_of(case, rng)
        file = folder / file_of(case[0])
        kept = keep / f"{case[0]}-{seed}-{case[1]}" if keep else file
        kept.write_bytes(content)  # before it is read, which may be the last that happens
        if keep:
            file.write_bytes(content)
        outcome = _outcome_of(case, rng, content, file)
        if not outcome.wrong:
            kept.unlink()
        pipe.send(outcome)
        if outcome.peak > PEAK_BYTES:
            return


def _outcome_of(case: Case, rng: Random, content: bytes, file: Path) -> Outcome:
    wrong = trace = ""
    read, started = False, time.monotonic()
    try:
        read = _check(case, rng, content, file)
    except Exception as error:
        trace = traceback.format_exc()
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/cxr/" in frame.filename]
        where = "".join(f" in {Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-1:])
        wrong = f"{type(error).__name__}{where}: {' '.join(str(error).split())!a:.300}"
    seconds, peak = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if peak > PEAK_BYTES:
        wrong = wrong or "more memory than 2 GB, some of it perhaps left over from cases before"
    elif seconds > SECONDS:
        wrong = wrong or "longer than 5 s"
    return Outcome(seconds, peak, read, wrong, trace)


def _check(case: Case, rng: Random, content: bytes, file: Path) -> bool:
    kind, place = case
    if kind == LIMIT:
        return check_limit(content, place)
    return check_table(rng, file, file.parent) if kind in TABLES else check_image(content, rng.choice((None, 8, 224)))
