"""`scripts/bench`: cxr compared with the plain Keras loop and with itself, in turn, on the same images and machine.

Each question is a file in this folder, whose `answer` yields tables and lines.
"""

import argparse
import tempfile
from importlib import import_module
from pathlib import Path

from measure import GFLOP_AN_IMAGE, Images, Options, matrix_rate

from cxr.config.schema import PhantomConfig
from cxr.data.sources.phantom import ensure_drawn
from cxr.model.weights import PHANTOM_WEIGHTS
from cxr.progress import wide_console
from cxr.system import cores

USUAL = ("contests", "engine", "updates", "index", "evaluation", "coverage")
ON_REQUEST = ("backbones", "gpu", "audit", "answers", "serve", "growth")  # these take long, or need a machine of their own


def main() -> None:
    """Answer the questions on the command line, or the usual ones."""
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="cxr-bench-") as folder:
        console, rate = wide_console(), matrix_rate()
        console.print(
            f"{cores()} cores, {rate:.0f} GFLOP/s of matrix products: at {GFLOP_AN_IMAGE} GFLOP an image the limit is "
            f"{rate / GFLOP_AN_IMAGE:.0f} images/s. Medians of {args.repeats}, range in brackets."
        )
        options = Options(images=_images(args, Path(folder)), matrix_rate=rate, args=args)
        for question in args.questions or USUAL:
            for part in import_module(question).answer(options):
                console.print(part)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "questions", nargs="*", choices=(*USUAL, *ON_REQUEST, []), help=f"what to measure (default: {' '.join(USUAL)})"
    )
    parser.add_argument("--root", type=Path, help="images in the layout of the radiography database (default: phantoms)")
    parser.add_argument("--weights", help="ImageNet weights of MobileNetV2 for --root")
    parser.add_argument("--repeats", type=int, default=3, help="how often each side runs (default: 3)")
    parser.add_argument("--epochs", type=int, default=6, help="of the original protocol; others are in proportion (default: 6)")
    parser.add_argument("--phantoms", type=int, default=120, help="how many phantoms where there is no --root (default: 120)")
    parser.add_argument("--images", type=int, nargs="+", help="sizes of sets: of index, of growth, and the first of answers")
    parser.add_argument("--predictions", type=int, nargs="+", default=[2000], help="sizes of sets to evaluate (default: 2000)")
    parser.add_argument("--sets", type=int, default=1000, help="simulated test sets of coverage, of each size (default: 1000)")
    parser.add_argument("--seeds", type=int, default=20, help="of audits, for each planted shortcut (default: 20)")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0, 0.5, 1], help="of planted shortcuts (default: 0 0.5 1)")
    parser.add_argument("--only", default="", help="only contests, or backbones, with this in their name")
    args = parser.parse_args()
    if args.root and not args.weights:
        parser.error("--root needs --weights")
    return args


def _images(args: argparse.Namespace, folder: Path) -> Images:
    if args.root:
        return Images(args.root.resolve(), str(Path(args.weights).resolve()))
    drawn = ensure_drawn(PhantomConfig(count=args.phantoms), folder, lambda done, total: None)
    return Images(drawn, str(PHANTOM_WEIGHTS), size=96, alpha=0.35)


if __name__ == "__main__":
    main()
