"""The arguments of each command: parsed, and wrong ones rejected, before the command and its libraries are imported."""

import argparse
from pathlib import Path

from cxr.cache.eviction import KINDS
from cxr.config.schema import TrackingConfig

TOLERANCE = 1e-3  # largest difference in a probability that counts as equal


def parse(command: str, arguments: list[str]) -> argparse.Namespace:
    """The parsed arguments of a command. Exits with 2 for wrong ones, and with 0 after `--help`."""
    return PARSERS[command]().parse_intermixed_args(arguments)


def _audit() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr audit",
        description="Ask what the model of a logged run may have learned besides the disease: how well the class is told without "
        "the lungs, from traits outside them, and what small changes of an image do to predictions.",
        epilog="The result is printed and added to the run, as audit/audit.json and metrics audit/...; the tag cxr.audit is the "
        "verdict. Lung masks are read from CLASS/masks beside CLASS/images, or from a column mask; else an atlas is fitted.",
    )
    parser.add_argument("run", metavar="RUN", help="id, beginning of an id, or name")
    parser.add_argument("elsewhere", nargs="*", metavar="SETTING=VALUE", help="places that changed: data.root=FOLDER")
    parser.add_argument("--full", action="store_true", help="of up to 5,000 images (default: 600)")
    return parser


def _backbones() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr backbones",
        description="List backbones with their parameters, cost, image size and weights; of one its depths, stages and blocks.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a backbone (default: list all)")
    return parser


def _cache() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr cache",
        description="Show or clear the disk cache: decoded images and activations of the frozen part. Runs compute them again "
        "when they need them. CXR_CACHE=FOLDER names its folder.",
    )
    parser.add_argument("action", nargs="?", choices=("show", "clear"), default="show", help="default: show")
    parser.add_argument("--kind", choices=KINDS, help="only this kind (default: all)")
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
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every difference here")
    parser.add_argument("--disagreements", type=Path, metavar="FILE", help="write images that only one run gets right")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with figures here")
    return parser


def _data() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr data",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Look at a set of images before anything is trained on it.\n\n"
        "  cxr data index data=folder data.root=FOLDER     write a manifest and print a summary\n"
        "  cxr data check data=folder data.root=FOLDER     read every file and list problems; exit code 1 if there are any\n"
        "  cxr data check data=manifest data.manifest=FILE the same, and list files that changed since the manifest\n"
        "  cxr data show data=folder data.root=FOLDER      draw some images of each class side by side\n"
        "  cxr data fetch                                  download the COVID-19 Radiography Database",
    )
    parser.add_argument("action", choices=("index", "check", "show", "fetch"))
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="which images and which split, as for a run")
    parser.add_argument(
        "--to", type=Path, help="file or folder to write (default: manifest.csv, contact_sheet.png, kagglehub's own)"
    )
    parser.add_argument("--each", type=int, default=8, help="how many images of each class to show (default: 8)")
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


def _export() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr export",
        description="Write a run's model and all that its answers depend on into a folder: .keras, OpenVINO, thresholds, gate and "
        "model card. MLflow can serve it, and Keras alone can use it.",
    )
    parser.add_argument("run", metavar="RUN", help="id, beginning of an id, or name")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="a new or empty folder")
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
    parser.add_argument("--predictions", type=Path, metavar="FILE", help="write the pooled predictions as CSV")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every number as CSV")
    return parser


def _completion() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr completion",
        description="Print what makes the tab key complete commands, options, settings, and names of runs.",
        epilog='Put  eval "$(cxr completion bash)"  into ~/.bashrc, or  eval "$(cxr completion zsh)"  into ~/.zshrc.',
    )
    parser.add_argument("shell", choices=("bash", "zsh", "words"), help="words: print the candidates for the last WORD")
    parser.add_argument("words", nargs="*", metavar="WORD", help="of a command line after cxr, as the shell gives them")
    return parser


def _init() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr init",
        description="Make a project of your own: a folder conf with one data option and one preset, a README and a .gitignore.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new or empty folder")
    return parser


def _predict() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr predict",
        description="Ask the model of a run about images without labels: probabilities, calibrated probabilities, class, conformal "
        "set and zone of each. Images unlike those that it knows get no class, but a reason.",
        epilog="PATH is a file, a folder, a manifest (a .csv with a column path) or - for a list on standard input. Exit code 1: a "
        "file could not be read, and its row says why. Research use only.",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run, a folder of cxr export, or models:/NAME@ALIAS")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="images of any format that training reads, DICOM included")
    parser.add_argument(
        "--to", type=Path, default=Path("predictions"), metavar="FOLDER", help="where answers go (default: predictions)"
    )
    parser.add_argument(
        "--point",
        choices=("argmax", "sensitivity", "specificity", "cost", "calibrated"),
        default="argmax",
        help="the operating point that chooses the class, as evaluated in the run's report (default: argmax)",
    )
    parser.add_argument("--no-gate", action="store_true", help="give a class to images unlike those that the model knows, too")
    parser.add_argument("--resume", action="store_true", help="go on with a batch that was interrupted")
    parser.add_argument("--heatmaps", type=Path, metavar="FOLDER", help="write Grad-CAM of each answered image here")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with thumbnails, most urgent first")
    parser.add_argument(
        "--dicom-sr", type=Path, metavar="FOLDER", help="write a DICOM structured report for each answered DICOM file here"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="add a line for each answer to an audit trail")
    parser.add_argument("--verify-log", type=Path, metavar="FILE", help="check that no line of an audit trail was changed")
    return parser


def _register() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr register",
        description="Put a run's model into MLflow's registry, with its model card. A model whose audit found strong evidence of a "
        "shortcut is rejected.",
    )
    parser.add_argument("run", metavar="RUN", help="id, beginning of an id, or name")
    parser.add_argument("--name", required=True, help="of the registered model; one that is known gets a new version")
    parser.add_argument("--alias", help="such as champion; another version that has it loses it")
    parser.add_argument("--despite", action="store_true", help="register it despite its audit")
    return parser


def _serve() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr serve",
        description="Answer over HTTP on 127.0.0.1, by MLflow's server, as cxr predict does. It prints a curl command.",
    )
    parser.add_argument("run", metavar="RUN", help="a run, a folder of cxr export, or models:/NAME@ALIAS")
    parser.add_argument("--port", type=int, default=5001, help="or the next free one (default: 5001)")
    parser.add_argument("--timeout", type=int, default=60, metavar="S", help="of a request, in seconds (default: 60)")
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
    parser.add_argument("--in-worktree", action="store_true", help="check out the logged commit first, and run that code")
    parser.add_argument(
        "--install", action="store_true", help="check out the logged commit, and make an environment from its lock to run it in"
    )
    parser.add_argument(
        "--with-diff",
        action="store_true",
        help="in the worktree, apply the logged uncommitted changes: code of the person who made the run, so read it first",
    )
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
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every number as CSV")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with a figure, which works offline")
    return parser


def _runs() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr runs",
        description="List runs, newest first: name, id, role, state, evaluated part, accuracy, macro AUC and sensitivity.",
        epilog="The names and ids are those that cxr compare, evaluate, folds and reproduce take.",
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="only runs whose name, role, state or options have every word")
    parser.add_argument("--sweep", metavar="ID", help="only runs of this sweep")
    parser.add_argument("--filter", help="only runs that match this MLflow filter, as typed in the UI")
    parser.add_argument("--most", type=int, default=20, metavar="N", help="how many to list; 0 for all (default: 20)")
    parser.add_argument("--names", action="store_true", help="print names and short ids alone, a line each, as tab completion does")
    return parser


def _send() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cxr send", description="Send runs to a server that was lost while they ran.")
    parser.add_argument("--uri", help="the server's address, if it is another one today")
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


def _ui() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr ui", description="Open the MLflow UI on the runs made in this folder, for this machine only."
    )
    parser.add_argument(
        "--port", type=int, default=5000, help="the next free port is taken if this one is not free (default: 5000)"
    )
    parser.add_argument("--sweep", metavar="ID", help="show the runs of this sweep")
    parser.add_argument(
        "--experiment", default=TrackingConfig().experiment, help="MLflow's name for the runs' group (default: cxr)"
    )
    return parser


PARSERS = {
    "audit": _audit,
    "backbones": _backbones,
    "cache": _cache,
    "compare": _compare,
    "completion": _completion,
    "data": _data,
    "evaluate": _evaluate,
    "export": _export,
    "folds": _folds,
    "init": _init,
    "predict": _predict,
    "register": _register,
    "reproduce": _reproduce,
    "results": _results,
    "runs": _runs,
    "send": _send,
    "serve": _serve,
    "soup": _soup,
    "ui": _ui,
}
