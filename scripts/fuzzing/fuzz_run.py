"""`scripts/fuzz`: damaged images and tables; each needs an answer within 5 seconds and 2 GB.

A case follows from its kind, its number and the seed. Images are taken apart into the parts of their format, a few parts are
changed, and all is put together again with lengths and checksums that fit, but for some that don't. One process works through
the cases; this one watches it, ends it when a case hangs, and starts another after a case that it did not survive.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from fuzz_cases import IMAGES, LIMIT, TABLES, Case
from fuzz_limits import LIMITS
from fuzz_watch import outcomes


def main() -> None:
    """Report each finding in a line, and what was done in a few, also after Ctrl+C; exit with 1 if there was any finding."""
    asked = _arguments()
    cases = _cases(asked)
    done, read, wrong, started = Counter[str](), Counter[str](), Counter[str](), time.monotonic()
    slowest, peak = (0.0, ""), 0
    memory = Path("/dev/shm")  # noqa: S108 - a folder of random name in it
    folder = tempfile.TemporaryDirectory(prefix="cxr-fuzz-", dir=memory if memory.is_dir() else None)
    with suppress(KeyboardInterrupt), folder as name:
        _make_images(Path(name))
        for (kind, place), outcome in zip(cases, outcomes(cases, asked.seed, Path(name), asked.keep), strict=True):
            again = f"scripts/fuzz --kind {kind} --seed {asked.seed} --only {place}"
            done[kind] += 1
            read[kind] += outcome.read
            slowest, peak = max(slowest, (outcome.seconds, again)), max(peak, outcome.peak)
            if kind == LIMIT:
                print(f"{outcome.seconds:6.2f} s {outcome.peak / 1e6:6.0f} MB  {LIMITS[place][0]}", flush=True)
            if outcome.wrong:
                wrong[f"{kind}: {outcome.wrong.split(': ')[0]}"] += 1
                print(f"{kind} case {place} of seed {asked.seed}: {outcome.wrong}  [{again}]", flush=True)
                print(outcome.trace if asked.only is not None else "", end="")
            if done.total() % 100_000 == 0:
                print(f"{done.total()} cases, {wrong.total()} findings, {time.monotonic() - started:.0f} s", flush=True)
    seconds = time.monotonic() - started
    print("cases:", ", ".join(f"{number} {kind} ({read[kind]} read)" for kind, number in done.items()))
    print(f"{done.total() / seconds:.0f} cases/s; peak memory {peak / 1e6:.0f} MB; slowest {slowest[0]:.2f} s [{slowest[1]}]")
    print(f"{wrong.total()} findings", *(f"{number:6} {what}" for what, number in wrong.most_common()), sep="\n")
    sys.exit(1 if wrong else 0)


def _cases(asked: argparse.Namespace) -> list[Case]:
    kinds = [asked.kind] if asked.kind else [*IMAGES, *TABLES]
    if not find_spec("pydicom") and "dicom" in kinds:
        print("dicom is left out: pydicom is not installed")
        kinds.remove("dicom")
    each = len(LIMITS) if kinds == [LIMIT] else -(-asked.cases // max(1, len(kinds)))
    numbers = range(each) if asked.only is None else [asked.only]
    return [(kind, place) for place in numbers for kind in kinds]


def _make_images(folder: Path) -> None:
    """Make the files that tables list."""
    for place in range(40):
        image = folder / "ab"[place % 2] / f"{place}.png"
        image.parent.mkdir(exist_ok=True)
        image.touch()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, help="how many, over all kinds (default: 20000)")
    parser.add_argument("--kind", choices=(*IMAGES, *TABLES, LIMIT), help="one kind only; limits: whole images as large as can be")
    parser.add_argument("--seed", type=int, default=0, help="what cases follow from (default: 0)")
    parser.add_argument("--only", type=int, metavar="N", help="this case of each kind, and the traceback of what is found")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to leave the files of findings")
    asked = parser.parse_args()
    if asked.keep:
        asked.keep.mkdir(parents=True, exist_ok=True)
    return asked


if __name__ == "__main__":
    main()
