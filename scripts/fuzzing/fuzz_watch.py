"""The outcome of every case, also of one that hangs or ends the reading process.

Another process reads. It is ended where a case takes too long, and a new one is started for the cases that are left.
"""

import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

from fuzz_cases import LIMIT, Case
from fuzz_child import Outcome, work
from fuzz_contract import PEAK_BYTES, SECONDS


def outcomes(cases: list[Case], seed: int, folder: Path, keep: Path | None) -> Iterator[Outcome]:
    """The outcome of each case in turn, whatever the case does to the process that reads it."""
    context = multiprocessing.get_context("spawn")
    done = 0
    while done < len(cases):
        pipe, theirs = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(theirs, cases[done:], seed, folder, keep), daemon=True)
        process.start()
        theirs.close()
        try:
            ready = pipe.poll(120) and pipe.recv()
        except EOFError:
            ready = None
        if not ready:
            sys.exit("the process that reads did not start")
        try:
            while done < len(cases) and pipe.poll(SECONDS + (10 if cases[done][0] == LIMIT else 1)):  # some to make the next one
                outcome = pipe.recv()
                done += 1
                yield outcome
                if outcome.peak > PEAK_BYTES:
                    break
            else:
                if done < len(cases):
                    done += 1
                    yield Outcome(SECONDS, wrong="longer than 5 s: ended")
        except EOFError:
            process.join()
            done += 1
            yield Outcome(wrong=f"the process ended with {process.exitcode}")
        process.kill()
        process.join()
