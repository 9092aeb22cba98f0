"""The arguments of each command: parsed, and wrong ones rejected, before the command and its libraries are imported."""

import argparse
from pathlib import Path
from typing import Any

from cxr.cache.eviction import KINDS
from cxr.config.schema import TrackingConfig
from cxr.errors import UserError
from cxr.system import expanded
from cxr.tracking.store import FOLDER

PARSERS: dict[str, argparse.ArgumentParser] = {}
TOLERANCE = 1e-3  # largest difference in a probability that counts as equal

_Argument = tuple[tuple[str, ...], dict[str, Any]]  # what ArgumentParser.add_argument takes


def parse(command: str, arguments: list[str]) -> argparse.Namespace:
    """The parsed arguments of a command. Exits with 2 for wrong ones, and with 0 after `--help`."""
    return PARSERS[command].parse_intermixed_args(arguments)


def output_path(text: str) -> Path:
    """The path of a file or folder to write.

    Raises:
        UserError: It is among the runs, where only runs are written.
    """
    path = expanded(text)
    if path.resolve().is_relative_to(FOLDER.resolve()):
        raise UserError(f"{text} is in {FOLDER}, which keeps runs and what is under way: name a place outside it")
    return path


def _expanded(text: str) -> str:
    """What may be a path and may be a name, as it is but for ~."""
    return str(expanded(text)) if text.startswith("~") else text


def _command(name: str, description: str, *arguments: _Argument, **options: Any) -> None:
    """Add the parser of a command to `PARSERS`; `options` are those of `ArgumentParser`."""
    PARSERS[name] = argparse.ArgumentParser(prog=f"cxr {name}", description=description, **options)
    for names, settings in arguments:
        PARSERS[name].add_argument(*names, **settings)


def _argument(*names: str, **settings: Any) -> _Argument:
    # argparse calls a list that may be empty a required one, unless it has a default.
    return names, {"default": []} | settings if settings.get("nargs") == "*" else settings


def _flag(*names: str, **settings: Any) -> _Argument:
    return names, {"action": "store_true", **settings}


def _output(name: str, metavar: str, text: str, **settings: Any) -> _Argument:
    """A file or folder that the command writes."""
    return (name,), {"type": output_path, "metavar": metavar, "help": text, **settings}


_RUN = _argument("run", metavar="RUN", help="id, beginning of an id, or name")
_MULTIRUN = ("-m", "--multirun")
_PLACES = "places that changed: data.root=FOLDER, backbone.weights=FILE"

_command(
    "audit",
    "Ask what the model of a logged run may have learned besides the disease: how well the class is predicted without the lungs, "
    "from traits outside them, and what small changes of an image do to predictions.",
    _RUN,
    _argument("elsewhere", nargs="*", metavar="SETTING=VALUE", help="places that changed: data.root=FOLDER; audit.seen=60"),
    _flag("--full", help="as audit=full has it (default: as audit=standard)"),
    epilog="The result is printed and added to the run, as audit/audit.json and metrics audit/...; the tag cxr.audit is the "
    "verdict. Lung masks are read from CLASS/masks beside CLASS/images, or from a column mask; else a network finds them.",
)
_command(
    "backbones",
    "List backbones with their parameters, cost, image size and weights; of one its depths, stages and blocks.",
    _argument("name", nargs="?", metavar="NAME", help="a backbone (default: list all)"),
)
_command(
    "cache",
    "Show or clear the disk cache: decoded images and activations of the frozen part. Runs compute them again when they need "
    "them. CXR_CACHE=FOLDER names its folder.",
    _argument("action", nargs="?", choices=("show", "clear"), default="show", help="default: show"),
    _argument("--kind", choices=KINDS, help="only this kind (default: all)"),
)
_command(
    "compare",
    "Compare runs on the same images: differences with 95 % intervals and tests that agree with them, p-values corrected over the "
    "runs.",
    _argument("runs", nargs="*", metavar="RUN"),
    _argument("--sweep", metavar="ID", help="every finished run of this sweep"),
    _argument("--filter", help="every run that matches this MLflow filter, as typed in the UI"),
    _argument("--reference", metavar="RUN", help="compare with this run (default: the baseline, else the first RUN)"),
    _argument("--primary", metavar="METRIC", help="the metric that decides (default: evaluation.primary)"),
    _output("--csv", "FILE", "write every difference here"),
    _output("--disagreements", "FILE", "write images that only one run gets right"),
    _output("--html", "FILE", "write a page with figures here"),
    epilog="RUN is an id, the beginning of one, or a name. Without RUN, the latest run is compared with its baseline.",
)
_command(
    "completion",
    "Print what makes the tab key complete commands, options, settings, and names of runs.",
    _argument("shell", choices=("bash", "zsh", "words"), help="words: print the candidates for the last WORD"),
    _argument("words", nargs="*", metavar="WORD", help="of a command line after cxr, as the shell gives them"),
    epilog='Put  eval "$(cxr completion bash)"  into ~/.bashrc, or  eval "$(cxr completion zsh)"  into ~/.zshrc.',
)
_command(
    "data",
    """Look at a set of images before anything is trained on it.

  cxr data index data=folder data.root=FOLDER     write a manifest and print a summary
  cxr data check data=folder data.root=FOLDER     read every file and list problems; exit code 1 if there are any
  cxr data check data=manifest data.manifest=FILE the same, and list files that changed since the manifest
  cxr data show data=folder data.root=FOLDER      draw some images of each class side by side
  cxr data profile data=folder data.root=FOLDER   write a page: counts, copies, and what predicts the class without any lung
  cxr data masks data=folder data.root=FOLDER     write masks of the lungs, found by a network, for data.masks=FOLDER
  cxr data fetch                                  download the COVID-19 Radiography Database""",
    _argument("action", choices=("index", "check", "show", "profile", "masks", "fetch")),
    _argument("overrides", nargs="*", metavar="OVERRIDE", help="which images and which split, as for a run"),
    _output("--to", "TO", "what to write (default: manifest.csv, contact_sheet.png, profile.html, masks, kagglehub's own)"),
    _argument("--each", type=int, default=8, help="how many images of each class to show (default: 8)"),
    formatter_class=argparse.RawDescriptionHelpFormatter,
)
_command(
    "evaluate",
    "Evaluate a logged run again: its own predictions with other targets or costs (evaluation.SETTING=VALUE), or its saved model "
    "on other data (data=folder data.root=FOLDER), which is checked first for images that the run has seen.",
    _RUN,
    _argument("overrides", nargs="*", metavar="SETTING=VALUE", help="evaluation.sensitivity=0.98, data=folder, ..."),
    epilog="The result is a run of its own in the store, with the whole report. Thresholds and temperature are always chosen on "
    "the validation images of RUN.",
)
_command(
    "export",
    "Write a run's model and all that its answers depend on into a folder: .keras, OpenVINO, thresholds, gate and model card. "
    "MLflow can serve it, and Keras alone can use it.",
    _RUN,
    _output("--to", "FOLDER", "a new or empty folder", required=True),
)
_command(
    "folds",
    "Summarise a cross-validation: each metric's mean and spread over the folds, and its value on the predictions of all folds "
    "together; or trainings with several seeds: how much of the spread comes from the seed, and how much from the images.",
    _argument("run", nargs="?", metavar="RUN", help="any of its runs, by id or name (default: the latest)"),
    _argument("--sweep", metavar="ID", help="each cross-validation and repeated training of this sweep"),
    _output("--predictions", "FILE", "write the pooled predictions as CSV"),
    _output("--csv", "FILE", "write every number as CSV"),
    epilog="Make the runs with  cxr -m split=kfold split.fold=0,1,2,3,4  or  cxr -m training.seed=0,1,2,3,4",
)
_command(
    "init",
    "Make a project of your own: a folder conf with one data option and one preset, a README and a .gitignore.",
    _output("folder", "FOLDER", "a new or empty folder"),
)
_command(
    "plan",
    "Print what a run or a sweep would do: its jobs, which are finished, whose frozen part is cached, and how long the rest takes "
    "by earlier runs. Images are read and checked as for a run; nothing is started.",
    _flag(*_MULTIRUN, help="a sweep, as for cxr -m"),
    _argument("overrides", nargs="*", metavar="OVERRIDE", help="as for cxr"),
)
_command(
    "predict",
    "Ask the model of a run about images without labels: probabilities, calibrated probabilities, class, conformal set and zone "
    "of each. Images unlike those that it knows get no class, but a reason.",
    _argument("run", nargs="?", type=_expanded, metavar="RUN", help="a run, a folder of cxr export, or models:/NAME@ALIAS"),
    _argument("paths", nargs="*", type=_expanded, metavar="PATH", help="images of any format that training reads, DICOM included"),
    _output("--to", "FOLDER", "where answers go (default: predictions, or if that has answers predictions-2, and so on)"),
    _argument(
        "--point",
        choices=("argmax", "sensitivity", "specificity", "cost", "calibrated"),
        default="argmax",
        help="the operating point that chooses the class, as evaluated in the run's report (default: argmax)",
    ),
    _argument("--column", metavar="NAME", help="the column of a table that names the files (default: found by names and values)"),
    _flag("--no-gate", help="give a class to images unlike those that the model knows, too"),
    _flag("--resume", help="resume a batch that was interrupted"),
    _output("--heatmaps", "FOLDER", "write Grad-CAM of each answered image here"),
    _output("--html", "FILE", "write a page with thumbnails, most urgent first"),
    _output("--dicom-sr", "FOLDER", "write a DICOM structured report for each answered DICOM file here"),
    _output("--log", "FILE", "add a line for each answer to an audit log"),
    _argument("--verify-log", type=expanded, metavar="FILE", help="check that no line of an audit log was changed"),
    epilog="PATH is a file, a folder, a table that names files or - for a list on standard input. Exit code 1: a "
    "file could not be read, and its row says why. Research use only.",
)
_command(
    "register",
    "Put a run's model into MLflow's registry, with its model card. A model whose audit found strong evidence of a shortcut, does "
    "not know, or was never made is rejected.",
    _RUN,
    _argument("--name", required=True, help="of the registered model; one that is known gets a new version"),
    _argument("--alias", help="such as champion; another version that has it loses it"),
    _flag("--despite", help="register it despite its audit"),
)
_command(
    "reproduce",
    "Do a run again from its logged config, data manifest and code version, and report every difference.",
    _RUN,
    _argument("elsewhere", nargs="*", metavar="SETTING=VALUE", help=_PLACES),
    _argument("--from", dest="store", metavar="STORE", help="folder mlruns or URI of the store with RUN (default: this one)"),
    _flag("--dry", help="only list what differs today"),
    _argument(
        "--tolerance", type=float, default=TOLERANCE, help=f"largest difference in a probability that counts as equal ({TOLERANCE})"
    ),
    _argument("--in-worktree", "--install", "--with-diff", dest="removed", action="store_true", help=argparse.SUPPRESS),
    epilog="Exit code 0: the same to the bit, or within the tolerance. 1: different. 2: it can't be done.",
)
_command(
    "results",
    "Show presets in one table: accuracy, macro AUC, sensitivity at thresholds chosen on validation, differences from the "
    "baseline, the audit's verdict and time, with 95 % intervals. Of cross-validations all folds count together.",
    _argument("runs", nargs="*", metavar="RUN", help="show these runs instead of presets, by id or name"),
    _argument("--sweep", metavar="ID", help="show the runs of this sweep instead of presets"),
    _flag("--effects", help="with --sweep or RUN: what each setting that differs is worth, with intervals"),
    _argument("--presets", metavar="A,B", help="only these presets (default: all)"),
    _argument("--like", metavar="RUN", help="show presets on the images and split of this run"),
    _argument(
        "--run",
        nargs="+",
        metavar="OVERRIDE",
        help="first make the runs that are missing, five folds of each preset: --run data=radiography data.root=FOLDER",
    ),
    _argument("--external", type=expanded, metavar="FOLDER", help="evaluate every run on this folder of class folders too"),
    _output("--markdown", "FILE", "write the table as Markdown"),
    _output("--csv", "FILE", "write every number as CSV"),
    _output("--html", "FILE", "write a page with a figure, which works offline"),
    epilog="Without RUN the latest finished runs of each preset are shown, on the images and split for which there are most.",
)
_command(
    "runs",
    "List runs, newest first: name, id, role, state, evaluated part, accuracy, macro AUC and sensitivity.",
    _argument("words", nargs="*", metavar="WORD", help="only runs whose name, role, state or options have every word"),
    _argument("--why", metavar="RUN", help="what the command  cxr WORD ...  would make again of this run, and why"),
    _argument("--sweep", metavar="ID", help="only runs of this sweep"),
    _argument("--filter", help="only runs that match this MLflow filter, as typed in the UI"),
    _argument("--most", type=int, default=20, metavar="N", help="how many to list; 0 for all (default: 20)"),
    _flag("--names", help="print names and short ids alone, a line each, as tab completion does"),
    epilog="The names and ids are those that cxr compare, evaluate, folds and reproduce take.",
)
_command(
    "send",
    "Send runs to a server that was lost while they ran, or those of machines without network (tracking=offline).",
    _argument(
        "folder",
        nargs="?",
        type=expanded,
        metavar="FOLDER",
        help="work.dir, or a folder of stores: each run of every store in it is sent once, however often this is repeated",
    ),
    _argument("--uri", help="the server's address (default: where a run was to go, or MLFLOW_TRACKING_URI)"),
)
_command(
    "serve",
    "Answer over HTTP on 127.0.0.1, by MLflow's server, as cxr predict does. It prints a curl command.",
    _argument("run", type=_expanded, metavar="RUN", help="a run, a folder of cxr export, or models:/NAME@ALIAS"),
    _argument("--port", type=int, default=5001, help="or the next free one (default: 5001)"),
    _argument("--timeout", type=int, default=60, metavar="S", help="of a request, in seconds (default: 60)"),
    _argument("--max-body", type=int, default=64, metavar="MB", help="largest body of a request (default: 64)"),
)
_command(
    "soup",
    "Average the weights of the runs of a sweep, best first: each stays if the validation loss falls. The result is a run of its "
    "own, evaluated once on the test part.",
    _argument("runs", nargs="+", metavar="SWEEP_OR_RUN", help="id of a sweep, or ids or names of runs"),
    _argument("--most", type=int, default=16, metavar="N", help="how many of the best runs to try (default: 16)"),
    _argument("--with", dest="elsewhere", nargs="+", default=[], metavar="SETTING=VALUE", help=_PLACES),
    epilog="The runs need the same backbone, images and split, and a backbone that is frozen in all of them or in none.",
)
_command(
    "submit",
    "Queue a sweep on SLURM and leave: short for cxr -m hydra/launcher=slurm hydra.launcher.wait=false.",
    _flag(*_MULTIRUN, help="it is one anyway"),
    _argument("overrides", nargs="*", metavar="OVERRIDE", help="as for cxr -m"),
    epilog="cxr sweep status ID shows the state of the jobs, cxr sweep results ID their results.",
)
_command(
    "sweep",
    "Show the status of a sweep, or its table of results, from any machine that sees the store of its runs.",
    _argument("action", choices=("status", "results")),
    _argument("id", metavar="ID", help="of the sweep, as it was printed when it began"),
    _argument("--uri", help="the server that has its runs, if it is not the store of this folder"),
    _argument("--work", type=expanded, default=FOLDER, metavar="FOLDER", help="work.dir of the sweep, if it had one"),
)
_command(
    "ui",
    "Open the MLflow UI on the runs made in this folder, for this machine only.",
    _argument("--port", type=int, default=5000, help="the next free port is taken if this one is not free (default: 5000)"),
    _argument("--sweep", metavar="ID", help="show the runs of this sweep"),
    _argument("--experiment", default=TrackingConfig().experiment, help="MLflow's name for the runs' group (default: cxr)"),
)
