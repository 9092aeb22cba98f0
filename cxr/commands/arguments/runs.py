"""Commands on runs that are logged."""

import argparse
from pathlib import Path

from cxr.commands.arguments.outputs import output_path

TOLERANCE = 1e-3  # largest difference in a probability that counts as equal


def _audit() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr audit",
        description="Ask what the model of a logged run may have learned besides the disease: how well the class is told without "
        "the lungs, from traits outside them, and what small changes of an image do to predictions.",
        epilog="The result is printed and added to the run, as audit/audit.json and metrics audit/...; the tag cxr.audit is the "
        "verdict. Lung masks are read from CLASS/masks beside CLASS/images, or from a column mask; else an atlas is fitted.",
    )
    parser.add_argument("run", metavar="RUN", help="id, beginning of an id, or name")
    parser.add_argument(
        "elsewhere", nargs="*", metavar="SETTING=VALUE", help="places that changed: data.root=FOLDER; audit.seen=60"
    )
    parser.add_argument("--full", action="store_true", help="as audit=full has it (default: as audit=standard)")
    return parser


def _compare() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr compare",
        description="Compare runs on the same images: differences with 95 % intervals and tests that agree with them, "
        "p-values corrected over the runs.",
        epilog="RUN is an id, the beginning of one, or a name. Without RUN, the latest run is compared with its baseline.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--sweep", metavar="ID", help="every finished run of this sweep")
    parser.add_argument("--filter", help="every run that matches this MLflow filter, as typed in the UI")
    parser.add_argument("--reference", metavar="RUN", help="compare with this run (default: the baseline, else the first RUN)")
    parser.add_argument("--primary", metavar="METRIC", help="the metric that decides (default: evaluation.primary)")
    parser.add_argument("--csv", type=output_path, metavar="FILE", help="write every difference here")
    parser.add_argument("--disagreements", type=output_path, metavar="FILE", help="write images that only one run gets right")
    parser.add_argument("--html", type=output_path, metavar="FILE", help="write a page with figures here")
    return parser


def _evaluate() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr evaluate",
        description="Evaluate a logged run again: its own predictions with other targets or costs (evaluation.SETTING=VALUE), or "
        "its saved model on other data (data=folder data.root=FOLDER), which is checked first for images that the run has seen.",
        epilog="The result is a run of its own in the store, with the whole report. Thresholds and temperature are always chosen "
        "on the validation images of RUN.",
    )
    parser.add_argument("run", metavar="RUN", help="id, beginning of an id, or name")
    parser.add_argument("overrides", nargs="*", metavar="SETTING=VALUE", help="evaluation.sensitivity=0.98, data=folder, ...")
    return parser


def _folds() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr folds",
        description="Summarise a cross-validation: each metric's mean and spread over the folds, and its value on the "
        "predictions of all folds together; or trainings with several seeds: how much of the spread comes from the seed, and "
        "how much from the images.",
        epilog="Make the runs with  cxr -m split=kfold split.fold=0,1,2,3,4  or  cxr -m training.seed=0,1,2,3,4",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="any of its runs, by id or name (default: the latest)")
    parser.add_argument("--sweep", metavar="ID", help="each cross-validation and repeated training of this sweep")
    parser.add_argument("--predictions", type=output_path, metavar="FILE", help="write the pooled predictions as CSV")
    parser.add_argument("--csv", type=output_path, metavar="FILE", help="write every number as CSV")
    return parser


def _reproduce() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr reproduce",
        description="Do a run again from its logged config, data manifest and code version, and report every difference.",
        epilog="Exit code 0: the same to the bit, or within the tolerance. 1: different. 2: it can't be done.",
    )
    parser.add_argument("run", metavar="RUN", help="id, beginning of an id, or name")
    parser.add_argument(
        "elsewhere", nargs="*", metavar="SETTING=VALUE", help="places that changed: data.root=FOLDER, backbone.weights=FILE"
    )
    parser.add_argument(
        "--from", dest="store", metavar="STORE", help="folder mlruns or URI of the store with RUN (default: this one)"
    )
    parser.add_argument("--dry", action="store_true", help="only list what differs today")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help=f"largest difference in a probability that counts as equal ({TOLERANCE})"
    )
    parser.add_argument("--in-worktree", "--install", "--with-diff", dest="removed", action="store_true", help=argparse.SUPPRESS)
    return parser


def _results() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr results",
        description="Show presets in one table: accuracy, macro AUC, sensitivity at thresholds chosen on validation, differences "
        "from the baseline, the audit's verdict and time, with 95 % intervals. Of cross-validations all folds count together.",
        epilog="Without RUN the latest finished runs of each preset are shown, on the images and split for which there are most.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="show these runs instead of presets, by id or name")
    parser.add_argument("--sweep", metavar="ID", help="show the runs of this sweep instead of presets")
    parser.add_argument(
        "--effects", action="store_true", help="with --sweep or RUN: what each setting that differs is worth, with intervals"
    )
    parser.add_argument("--presets", metavar="A,B", help="only these presets (default: all)")
    parser.add_argument("--like", metavar="RUN", help="show presets on the images and split of this run")
    parser.add_argument(
        "--run",
        nargs="+",
        metavar="OVERRIDE",
        help="first make the runs that are missing, five folds of each preset: --run data=radiography data.root=FOLDER",
    )
    parser.add_argument("--external", type=Path, metavar="FOLDER", help="evaluate every run on this folder of class folders too")
    parser.add_argument("--markdown", type=output_path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--csv", type=output_path, metavar="FILE", help="write every number as CSV")
    parser.add_argument("--html", type=output_path, metavar="FILE", help="write a page with a figure, which works offline")
    return parser


def _runs() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr runs",
        description="List runs, newest first: name, id, role, state, evaluated part, accuracy, macro AUC and sensitivity.",
        epilog="The names and ids are those that cxr compare, evaluate, folds and reproduce take.",
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="only runs whose name, role, state or options have every word")
    parser.add_argument("--why", metavar="RUN", help="what the command  cxr WORD ...  would make again of this run, and why")
    parser.add_argument("--sweep", metavar="ID", help="only runs of this sweep")
    parser.add_argument("--filter", help="only runs that match this MLflow filter, as typed in the UI")
    parser.add_argument("--most", type=int, default=20, metavar="N", help="how many to list; 0 for all (default: 20)")
    parser.add_argument("--names", action="store_true", help="print names and short ids alone, a line each, as tab completion does")
    return parser


def _soup() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr soup",
        description="Average the weights of the runs of a sweep, best first: each stays if the validation loss falls. "
        "The result is a run of its own, evaluated once on the test part.",
        epilog="The runs need the same backbone, images and split, and a backbone that is frozen in all of them or in none.",
    )
    parser.add_argument("runs", nargs="+", metavar="SWEEP_OR_RUN", help="id of a sweep, or ids or names of runs")
    parser.add_argument("--most", type=int, default=16, metavar="N", help="how many of the best runs to try (default: 16)")
    parser.add_argument(
        "--with",
        dest="elsewhere",
        nargs="+",
        default=[],
        metavar="SETTING=VALUE",
        help="places that changed: data.root=FOLDER, backbone.weights=FILE",
    )
    return parser


PARSERS = {
    "audit": _audit,
    "compare": _compare,
    "evaluate": _evaluate,
    "folds": _folds,
    "reproduce": _reproduce,
    "results": _results,
    "runs": _runs,
    "soup": _soup,
}
