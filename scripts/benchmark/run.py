"""`scripts/bench`: cxr compared with the plain Keras loop and with itself, in turn, on the same images and machine."""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from backbone_rates import DEPTHS, backbone_rates
from contest import Contest, Images, contests, desk, hold, subset
from measure import GFLOP_AN_IMAGE, GFLOP_OF_TRAINED, Measured, matrix_rate
from rich import box
from rich.console import Console
from rich.table import Table

from cxr.config.schema import PhantomConfig
from cxr.data.sources.phantom import ensure_drawn
from cxr.model.weights import PHANTOM_WEIGHTS
from cxr.progress import wide_console
from cxr.system import cores

TABLES = ("contests", "engine", "updates", "again", "costs", "index", "evaluation", "coverage")
ASKED_FOR = ("backbones", "gpu", "audit", "answers", "serve", "growth")  # not measured unless named


def main() -> None:
    """Measure what was asked for, and print a table of medians after each part."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="cxr-bench-") as folder:
        images = _images(asked, Path(folder))
        console = wide_console()
        rate = matrix_rate()
        console.print(
            f"{cores()} cores, {rate:.0f} GFLOP/s of matrix products: at {GFLOP_AN_IMAGE} GFLOP an image the limit is "
            f"{rate / GFLOP_AN_IMAGE:.0f} images/s. Medians of {asked.repeats}, range in brackets."
        )
        wanted = asked.tables or TABLES
        measures: dict[str, Callable[[], None]] = {
            "contests": lambda: _hold_contests(console, images, asked),
            "engine": lambda: _measure_engine(console, images, asked.repeats, rate),
            "updates": lambda: _measure_updates(console, asked.repeats, rate),
            "again": lambda: _measure_again(console, images, asked),
            "costs": lambda: _measure_costs(console, images, asked),
            "growth": lambda: _measure_growth(console, asked),
            "index": lambda: _measure_index(console, images, asked),
            "evaluation": lambda: _measure_evaluation(console, asked),
            "backbones": lambda: _measure_backbones(console, asked),
            "gpu": lambda: _measure_gpu(console, asked.repeats),
            "audit": lambda: _measure_audit(console, asked),
            "answers": lambda: _measure_answers(console, images, asked),
            "serve": lambda: _measure_serve(console, images),
            "coverage": lambda: _simulate_coverage(console, asked),
        }
        for name, measure in measures.items():
            if name in wanted:
                measure()


def _measure_updates(console: Console, repeats: int, rate: float) -> None:
    """Fine-tuning by Keras' layers and by folded ones; arithmetic is forward and back, and weights' own gradients."""
    from update_rates import update_rates

    table = _table(f"Updates of 32 images at 224 px on {cores()} cores, images/s, medians of {repeats}")
    for name in ("Keras' layers", "fused", "ratio", "PyTorch", "limit by matrix products"):
        table.add_column(name, justify="right")
    for each in update_rates(repeats):
        limit, by_torch = rate / (3 * GFLOP_OF_TRAINED[each.depth]), each.by_torch
        rates = (f"{each.by_keras:.0f}", f"{each.fused:.0f}", _spread(each.ratios, "x", 2))
        table.add_row(each.depth, *rates, "not installed" if by_torch is None else f"{by_torch:.0f}", f"{limit:.0f}")
    console.print(table)


def _measure_backbones(console: Console, asked: argparse.Namespace) -> None:
    """Each backbone with random weights at its usual image size, one after another."""
    table = _table(f"Backbones on {cores()} cores: images/s of the frozen part at each depth, and fine-tuning of last_stage")
    for name in ("size", *DEPTHS, "epoch of 1,000 images, s"):
        table.add_column(name, justify="right")
    for rates in backbone_rates(asked.phantoms, asked.repeats, asked.only or ""):
        speeds = (f"{rates.frozen[depth]:.1f}" for depth in DEPTHS)
        table.add_row(rates.name, str(rates.size), *speeds, f"{1000 * rates.epoch:.0f}")
    console.print(table)


def _measure_gpu(console: Console, repeats: int) -> None:
    """Random weights and images at 224 px on one GPU; the same graph on the CPU beside it."""
    from gpu_rates import AT_ONCE, device_name, frozen_rates, update_rates

    if (device := device_name()) is None:
        console.print("TensorFlow can use no GPU here: nothing is measured.")
        return
    frozen = _table(f"The frozen part up to last_stage on {device}, float32, images/s by images at once, and on {cores()} cores")
    for name in (*map(str, AT_ONCE), f"CPU, {cores()} cores"):
        frozen.add_column(name, justify="right")
    for rates in frozen_rates(repeats):
        print(rates, file=sys.stderr, flush=True)
        frozen.add_row(rates.name, *(f"{rates.gpu[count]:.0f}" for count in AT_ONCE), f"{rates.cpu:.0f}")
    console.print(frozen)
    updates = _table(f"Updates of 32 images on {device}, by TensorFlow's kernels and by XLA")
    for name in ("trained from", "precision", "XLA", "ms an update", "first update, s", "GPU memory, GB"):
        updates.add_column(name, justify="right")
    for each in update_rates(repeats):
        row = (each.depth, each.precision, "yes" if each.xla else "no", f"{each.milliseconds:.1f}")
        updates.add_row(each.name, *row, f"{each.first:.1f}", f"{each.memory:.2f}")
        print(each, file=sys.stderr, flush=True)  # XLA takes minutes
    console.print(updates)


def _measure_answers(console: Console, images: Images, asked: argparse.Namespace) -> None:
    """`cxr predict`: odd images made of test images, then a folder of the first of --images."""
    from answer_rates import answer_rates

    found = list(answer_rates(images, _sizes(asked)[0]))
    refused = _table("Shares of images that cxr predict refuses to answer")
    speed = _table(f"cxr predict on {_sizes(asked)[0]:,} files and {cores()} cores")
    for each in found:
        refused.add_column(each.model, justify="right")
    for kind in found[0].refused:
        refused.add_row(kind, *(f"{each.refused[kind]:.3f}" for each in found))
    for name in ("images/s", "engine and answers alone", "ratio", "GB", "GB for a tenth of the files"):
        speed.add_column(name, justify="right")
    for each in found:
        ratio = each.folder_rate / each.engine_rate
        rates = (f"{each.folder_rate:.0f}", f"{each.engine_rate:.0f}", f"{ratio:.2f}")
        speed.add_row(each.model, *rates, f"{each.memory:.2f}", f"{each.memory_of_tenth:.2f}")
    console.print(refused, speed)


def _measure_serve(console: Console, images: Images) -> None:
    """`cxr serve`, a frozen head, one image a request."""
    from serve_rates import serve_rates

    table = _table(f"cxr serve on {cores()} cores, one image a request; the clients run on the same cores")
    for name in ("answers/s", "median, ms", "95th of 100, ms"):
        table.add_column(name, justify="right")
    for each in serve_rates(images):
        table.add_row(f"{each.clients} clients", f"{each.rate:.0f}", f"{1000 * each.median:.0f}", f"{1000 * each.slow:.0f}")
    console.print(table)


def _measure_audit(console: Console, asked: argparse.Namespace) -> None:
    from audit_power import audit_power

    table = _table(f"Shortcuts planted into {asked.phantoms} phantoms, {asked.seeds} seeds: shares of audits that see evidence")
    for name in ("strength", "evidence", "strong", "right place first"):
        table.add_column(name, justify="right")
    for each in audit_power(asked.seeds, asked.phantoms, tuple(asked.strengths)):
        print(each, file=sys.stderr, flush=True)
        placed = "-" if each.placed != each.placed or each.shortcut == "none" else f"{each.placed:.0%}"
        table.add_row(each.shortcut, f"{each.strength:g}", f"{each.found:.0%}", f"{each.strong:.0%}", placed)
    console.print(table)
    _measure_payoff(console, min(asked.seeds, 5), asked.phantoms)


def _measure_payoff(console: Console, seeds: int, phantoms: int) -> None:
    from remedy_payoff import MODELS, Payoff, remedy_payoff

    found: dict[str, dict[str, list[Payoff]]] = {}
    for each in remedy_payoff(seeds, phantoms):
        print(each, file=sys.stderr, flush=True)
        found.setdefault(each.shortcut, {}).setdefault(each.model, []).append(each)
    table = _table(f"Accuracy on new phantoms of {phantoms}, {seeds} seeds: shortcut as learned, turned round, and what that loses")
    for model in MODELS:
        for name in ("as learned", "turned", "lost"):
            table.add_column(f"{model}, {name}", justify="right")
    for shortcut, models in found.items():
        cells = []
        for payoffs in models.values():
            learned, turned = (statistics.mean(getattr(each, name) for each in payoffs) for name in ("as_learned", "turned"))
            lost = [each.as_learned - each.turned for each in payoffs]
            cells += [f"{learned:.3f}", f"{turned:.3f}", f"{learned - turned:.3f} ({min(lost):.3f}-{max(lost):.3f})"]
        table.add_row(shortcut, *cells)
    console.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "tables", nargs="*", choices=(*TABLES, *ASKED_FOR, []), help=f"what to measure (default: {' '.join(TABLES)})"
    )
    parser.add_argument("--root", type=Path, help="images in the layout of the radiography database (default: phantoms)")
    parser.add_argument("--weights", help="ImageNet weights of MobileNetV2 for --root")
    parser.add_argument("--repeats", type=int, default=3, help="how often each side runs (default: 3)")
    parser.add_argument("--epochs", type=int, default=6, help="of the seed's protocol; others are in proportion (default: 6)")
    parser.add_argument("--phantoms", type=int, default=120, help="how many phantoms where there is no --root (default: 120)")
    parser.add_argument(
        "--images",
        type=int,
        nargs="+",
        help="sizes of sets to index (default: 2000 20000), the first to answer, and of growth (default: 1000 10000 100000)",
    )
    parser.add_argument("--predictions", type=int, nargs="+", default=[2000], help="sizes of sets to evaluate (default: 2000)")
    parser.add_argument("--sets", type=int, default=1000, help="made-up test sets of coverage, of each size (default: 1000)")
    parser.add_argument("--seeds", type=int, default=20, help="of audits, for each planted shortcut (default: 20)")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0, 0.5, 1], help="of planted shortcuts (default: 0 0.5 1)")
    parser.add_argument("--only", help="only contests, or backbones, with this in their name")
    asked = parser.parse_args()
    if asked.root and not asked.weights:
        parser.error("--root needs --weights")
    return asked


def _sizes(asked: argparse.Namespace) -> list[int]:
    """Sizes of sets to index, the first also to answer."""
    return list(asked.images or [2000, 20_000])


def _images(asked: argparse.Namespace, folder: Path) -> Images:
    if asked.root:
        return Images(asked.root.resolve(), str(Path(asked.weights).resolve()))
    drawn = ensure_drawn(PhantomConfig(count=asked.phantoms), folder, lambda done, total: None)
    return Images(drawn, str(PHANTOM_WEIGHTS), size=96, alpha=0.35)


def _hold_contests(console: Console, images: Images, asked: argparse.Namespace) -> None:
    """Both sides of each contest in turn; the tables grow in a log file too, since the whole takes hours."""
    time = _table("cxr against the plain Keras loop, seconds: whole processes, then without imports and logging")
    for name in ("plain", "cxr", "ratio", "plain's work", "cxr's work", "ratio"):
        time.add_column(name, justify="right")
    rest = _table("What both came to: accuracy on the validation part, and peak memory in GB")
    for name in ("accuracy, plain", "accuracy, cxr", "GB, plain", "GB, cxr"):
        rest.add_column(name, justify="right")
    for contest in contests(asked.epochs):
        if asked.only and asked.only not in contest.name:
            continue
        pairs = [hold(contest, images, seed) for seed in range(asked.repeats)]
        time.add_row(contest.name, *_seconds_of(contest, pairs))
        rest.add_row(contest.name, *_rest_of(pairs))
        print(f"{contest.name}: {' '.join(_seconds_of(contest, pairs))}", file=sys.stderr, flush=True)
    console.print(time, rest)


def _seconds_of(contest: Contest, pairs: list[tuple[Measured, Measured]]) -> list[str]:
    ours, plain = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    whole = [
        _spread([each.wall for each in plain]),
        _spread([each.wall for each in ours]),
        _spread([p.wall / c.wall for c, p in pairs], "x"),
    ]
    if contest.runs > 1:  # what a sweep does between its jobs is in no job's account
        return [*whole, "", "", ""]
    return [
        *whole,
        _spread([each.work for each in plain]),
        _spread([each.work for each in ours]),
        _spread([p.work / c.work for c, p in pairs], "x"),
    ]


def _rest_of(pairs: list[tuple[Measured, Measured]]) -> list[str]:
    ours, plain = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return [
        _spread([each.said["accuracy"] for each in plain], digits=3),
        _spread([each.said["val/accuracy"] for each in ours], digits=3),
        _spread([each.memory for each in plain], digits=2),
        _spread([each.memory for each in ours], digits=2),
    ]


def _measure_engine(console: Console, images: Images, repeats: int, rate: float) -> None:
    from engine_rate import engine_rates

    found = engine_rates(images, 1000, repeats)
    table = _table("The frozen part up to the pooled vector, images/s")
    table.add_column("images/s", justify="right")
    table.add_column("of the engine alone", justify="right")
    for name, value in (
        ("OpenVINO alone, its asynchronous queue on random input", found.alone),
        ("in cxr, images as they are", found.as_they_are),
        ("in cxr, moved images", found.moved),
    ):
        table.add_row(name, f"{value:.0f}", f"{value / found.alone:.2f}")
    if images.size == 224:
        table.add_row("limit: matrix products", f"{rate / GFLOP_AN_IMAGE:.0f}", "")
    console.print(table)


def _measure_again(console: Console, images: Images, asked: argparse.Namespace) -> None:
    """The same experiment with another loss, where the first run has filled the cache."""
    seed = contests(asked.epochs)[0].cxr
    table = _table("The second run of an experiment, with another loss, seconds")
    for name in ("first run", "second run", "beyond imports", "computed", "from the cache"):
        table.add_column(name, justify="right")
    with desk() as ours:
        first = ours.cxr(images, seed)
        others = [ours.cxr(images, (*seed, f"loss={loss}")) for loss in ("focal", "balanced", "effective", "cost")[: asked.repeats]]
    beyond = [sum(v for name, v in each.said.items() if name.startswith("seconds/") and name != "seconds/start") for each in others]
    table.add_row(
        "seed's protocol",
        f"{first.wall:.1f}",
        _spread([each.wall for each in others]),
        _spread(beyond),
        f"{others[0].said['frozen/computed']:.0f}",
        f"{others[0].said['frozen/from_cache']:.0f}",
    )
    console.print(table)


def _measure_growth(console: Console, asked: argparse.Namespace) -> None:
    """Ten times the images, from an empty cache; what a million would take by the largest two sets."""
    from growth_curve import STAGES, Growth, growth_curve

    table = _table(f"A head on small images, {cores()} cores, empty cache: seconds of stages, milliseconds for each image, GB")
    for name in ("whole", *STAGES, "ms/image", "memory", "cache"):
        table.add_column(name, justify="right")
    found: list[Growth] = []
    for each in growth_curve(asked.images or [1000, 10_000, 100_000]):
        found.append(each)
        print(each, file=sys.stderr, flush=True)
        stages = (f"{each.stages[name]:.1f}" for name in STAGES)
        cells = f"{each.millisecond_each:.2f}", f"{each.memory:.2f}", f"{each.cache:.2f}"
        table.add_row(f"{each.images:,} images", f"{each.wall:.0f}", *stages, *cells)
    console.print(table)
    if len(found) > 1:
        small, large = found[-2:]
        slope = (large.wall - small.wall) / (large.images - small.images)
        memory = (large.memory - small.memory) / (large.images - small.images)
        whole = large.wall + slope * (1_000_000 - large.images)
        time, space = large.millisecond_each / small.millisecond_each, large.memory / small.memory
        whole_memory = large.memory + memory * (1_000_000 - large.images)
        console.print(
            f"From {small.images:,} to {large.images:,} images: {time:.2f} times the time for each, {space:.2f} the memory."
        )
        console.print(f"In a line, a million images would take {whole / 60:.0f} min and {whole_memory:.1f} GB.")


def _measure_costs(console: Console, images: Images, asked: argparse.Namespace) -> None:
    """What images, epochs and runs cost, one after another from an empty cache."""
    table = _table("What more images, epochs and runs cost: seconds of a whole process, peak memory in GB")
    for name in ("seconds", "frozen part", "training", "GB"):
        table.add_column(name, justify="right")
    seed = contests(asked.epochs)[0].cxr
    total = len(list(images.root.glob("*/images/*.png")))
    cases: list[tuple[str, int, tuple[str, ...]]] = [
        *((f"{count:,} images", count, seed) for count in (total // 4, total // 2, total)),
        *((f"{epochs} epochs", total, (*seed, f"training.epochs={epochs}")) for epochs in (asked.epochs // 2, 2 * asked.epochs)),
        *(
            (f"a sweep of {len(rates.split(','))} runs", total, ("-m", *seed, f"optimizer.learning_rate={rates}"))
            for rates in _RATES
        ),
    ]
    for name, count, overrides in cases:
        found = []
        for _ in range(asked.repeats):
            with tempfile.TemporaryDirectory(prefix="cxr-bench-") as folder, desk() as ours:
                found.append(ours.cxr(subset(images, count, Path(folder)), overrides))
        seconds = {key: [each.said.get(f"seconds/{key}", 0.0) for each in found] for key in ("frozen", "train")}
        last = "" if overrides[0] == "-m" else _spread(seconds["frozen"])
        table.add_row(
            name,
            _spread([each.wall for each in found]),
            last,
            "" if overrides[0] == "-m" else _spread(seconds["train"]),
            _spread([each.memory for each in found], digits=2),
        )
    console.print(table)


def _measure_index(console: Console, images: Images, asked: argparse.Namespace) -> None:
    """`cxr data index`, twice, and Pillow alone; crops are made anew for each repeat."""
    from index_rate import index_rates

    table = _table("cxr data index, whole processes in seconds, and decoding the same images with Pillow alone")
    for name in ("Pillow, images/s", "first", "of it reading", "reading, images/s", "of Pillow", "second", "GB"):
        table.add_column(name, justify="right")
    found = []
    for _ in range(asked.repeats):
        with tempfile.TemporaryDirectory(prefix="cxr-bench-") as folder:
            found.append(index_rates(images, _sizes(asked), Path(folder)))
    for of_count in zip(*found, strict=True):
        rates = [each.images / each.reading for each in of_count]
        table.add_row(
            f"{of_count[0].images:,} images",
            _spread([each.pillow for each in of_count], digits=0),
            _spread([each.first for each in of_count]),
            _spread([each.reading for each in of_count]),
            _spread(rates, digits=0),
            _spread([rate / each.pillow for rate, each in zip(rates, of_count, strict=True)], digits=2),
            _spread([each.second for each in of_count]),
            _spread([each.memory for each in of_count], digits=2),
        )
    console.print(table)


def _measure_evaluation(console: Console, asked: argparse.Namespace) -> None:
    from simulated import evaluation_seconds

    table = _table("An evaluation without heat maps, 4 classes, seconds")
    for name in ("numbers", "figures"):
        table.add_column(name, justify="right")
    for count in asked.predictions:
        found = [evaluation_seconds(count) for _ in range(asked.repeats)]
        seconds = _spread([each.numbers for each in found]), _spread([each.figures for each in found])
        table.add_row(f"{count:,} predictions", *seconds)
    console.print(table)


def _simulate_coverage(console: Console, asked: argparse.Namespace) -> None:
    from simulated import coverage

    sizes = (50, 200, 1000)
    found = coverage(sizes, asked.sets, resamples=500)
    table = _table(f"Share of {asked.sets:,} made-up test sets whose 95 % interval holds the truth")
    for size in sizes:
        table.add_column(f"n = {size:,}", justify="right")
    for name in found[0]:
        table.add_row(name, *(f"{each[name]:.3f}" for each in found))
    console.print(table)


_RATES = ("1e-3,3e-3", "3e-4,1e-3,2e-3,3e-3")  # of sweeps of two and of four runs


def _table(title: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    return table


def _spread(values: list[float], unit: str = "", digits: int = 1) -> str:
    """Median, and the range where there are several."""
    median = f"{statistics.median(values):.{digits}f}{unit}"
    return median if len(values) == 1 else f"{median} ({min(values):.{digits}f}-{max(values):.{digits}f})"


if __name__ == "__main__":
    main()
