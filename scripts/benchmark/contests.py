"""Contests: the same work by cxr and by a plain Keras loop, in separate processes, in turn."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import Images, Options, add_row, desk, spread, table, timed_process
from rich.table import Table

_OWN_WORK = ("index", "decode", "frozen", "train", "evaluate")  # without imports and logging


@dataclass(frozen=True)
class Contest:
    """The same training by both sides: overrides of cxr, arguments of the plain loop."""

    name: str
    cxr: tuple[str, ...]
    plain: tuple[str, ...]
    runs: int = 1  # of a sweep; the plain loop is a process for each


@dataclass(frozen=True)
class Result:
    """Of one side: seconds of the process, seconds without imports and logging, peak memory in GB, validation accuracy."""

    wall: float
    work: float
    memory: float
    accuracy: float


def contests(epochs: int) -> list[Contest]:
    """All of them; the original protocol trains for 6 epochs."""
    original = ("experiment=original_protocol", f"training.epochs={epochs}", "training.early_stopping_patience=null")
    bare = (
        "-m",
        "loss=plain,balanced,focal",
        "optimizer=adam,adamw,rmsprop,sgd",
        "optimizer.learning_rate=1e-3",
        *original,
        "augment=none",
    )
    four = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=4")
    stage = (
        "freeze=last_stage",
        "augment=original_protocol",
        f"training.epochs={epochs + 2}",
        "freeze.warmup_epochs=2",
        original[2],
    )
    deep = ("--warmup-epochs", "2", "--trainable-from", "block_13_expand", "--input-low", "-1")
    plain = ("--epochs", str(epochs))
    half = "split=train_val_80_20"
    return [
        Contest("original protocol, fresh augmentation", original, ("--augment", *plain)),
        Contest("experiment=fine_tuned, against the original script", ("experiment=fine_tuned", half), ("--augment", *plain)),
        Contest("12 frozen-head runs, no augmentation", bare, plain, runs=12),
        Contest("12 frozen-head runs, no augmentation, 4 at once", (*bare, *four), plain, runs=12),
        Contest(f"last_stage, {epochs} epochs after warm-up", (*stage, half), ("--augment", *plain, *deep)),
    ]


def answer(options: Options) -> Iterator[Table]:
    """Both sides of each contest in turn: seconds, then what they came to."""
    time = table(
        "cxr against the plain Keras loop, seconds: whole processes, then without imports and logging",
        *("plain", "cxr", "ratio", "plain's work", "cxr's work", "ratio"),
    )
    rest = table(
        "Accuracy on the validation part, and peak memory in GB", "accuracy, plain", "accuracy, cxr", "GB, plain", "GB, cxr"
    )
    for contest in contests(options.args.epochs):
        if options.args.only in contest.name:
            pairs = [hold(contest, options.images, seed) for seed in range(options.args.repeats)]
            # What a sweep does between its jobs is in no job's account.
            cells = [cell for name in ("wall", "work") for cell in _both(pairs, name)][: 6 if contest.runs == 1 else 3]
            add_row(time, contest.name, *cells)
            accuracy, memory = (_both(pairs, name, digits)[:2] for name, digits in (("accuracy", 3), ("memory", 2)))
            rest.add_row(contest.name, *accuracy, *memory)
    yield from (time, rest)


def _both(pairs: list[tuple[Result, Result]], name: str, digits: int = 1) -> list[str]:
    """One quantity of the plain loop, of cxr, and their ratio."""
    values = [(getattr(plain, name), getattr(ours, name)) for ours, plain in pairs]
    plain, ours = ([pair[side] for pair in values] for side in (0, 1))
    return [spread(plain, digits=digits), spread(ours, digits=digits), spread([theirs / own for theirs, own in values], "x")]


def hold(contest: Contest, images: Images, seed: int) -> tuple[Result, Result]:
    """Both sides, cxr first: it decides who trains and who validates, and the plain loop takes the same images.

    Of a sweep's plain loops one is run and counts `runs` times: they are the same process but for names of loss and optimizer.
    """
    with desk() as ours:
        wall, memory, _ = ours.cxr(*contest.cxr, f"training.seed={seed}", *images.for_cxr())
        run = ours.runs()[0]
        work = sum(run.metrics.get(f"seconds/{name}", 0.0) for name in _OWN_WORK)
        by_cxr = Result(wall, work, memory, run.metrics["val/accuracy"])
        script = Path(__file__).with_name("plain_loop.py")
        shared = ("--manifest", str(run.file("data/manifest.csv")), "--root", str(images.root), "--weights", images.weights)
        size = ("--image-size", str(images.size), "--alpha", str(images.alpha), "--seed", str(seed))
        wall, memory, output = timed_process([sys.executable, str(script), *shared, *size, *contest.plain], ours.folder)
    measured = json.loads(output.splitlines()[-1])
    return by_cxr, Result(contest.runs * wall, contest.runs * measured["work"], memory, measured["accuracy"])
