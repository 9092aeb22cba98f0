"""Commands on what lies around runs: images, cache, store, options of one's own, the shell."""

import argparse
from pathlib import Path

from cxr.cache.eviction import KINDS
from cxr.commands.arguments.outputs import output_path
from cxr.config.schema import TrackingConfig


def _cache() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr cache",
        description="Show or clear the disk cache: decoded images and activations of the frozen part. Runs compute them again "
        "when they need them. CXR_CACHE=FOLDER names its folder.",
    )
    parser.add_argument("action", nargs="?", choices=("show", "clear"), default="show", help="default: show")
    parser.add_argument("--kind", choices=KINDS, help="only this kind (default: all)")
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
        "--to", type=output_path, help="file or folder to write (default: manifest.csv, contact_sheet.png, kagglehub's own)"
    )
    parser.add_argument("--each", type=int, default=8, help="how many images of each class to show (default: 8)")
    return parser


def _init() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr init",
        description="Make a project of your own: a folder conf with one data option and one preset, a README and a .gitignore.",
    )
    parser.add_argument("folder", type=output_path, metavar="FOLDER", help="a new or empty folder")
    return parser


def _send() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr send",
        description="Send runs to a server that was lost while they ran, or those of machines without network (tracking=offline).",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="work.dir, or a folder of stores: each run of every store in it is sent once, however often this is repeated",
    )
    parser.add_argument("--uri", help="the server's address (default: where a run was to go, or MLFLOW_TRACKING_URI)")
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


PARSERS = {"cache": _cache, "completion": _completion, "data": _data, "init": _init, "send": _send, "ui": _ui}
