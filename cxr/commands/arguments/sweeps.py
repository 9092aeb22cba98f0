"""Commands on sweeps: before, while and after they run."""

import argparse
from pathlib import Path

from cxr.tracking.store import FOLDER


def _plan() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr plan",
        description="Print what a run or a sweep would do: its jobs, which are finished, whose frozen part is cached, and how long "
        "the rest takes by earlier runs. Images are read and checked as for a run; nothing is started.",
    )
    parser.add_argument("-m", "--multirun", action="store_true", help="a sweep, as for cxr -m")
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="as for cxr")
    return parser


def _submit() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr submit",
        description="Queue a sweep on SLURM and leave: short for cxr -m hydra/launcher=slurm hydra.launcher.wait=false.",
        epilog="cxr sweep status ID tells how the jobs stand, cxr sweep results ID what they found.",
    )
    parser.add_argument("-m", "--multirun", action="store_true", help="it is one anyway")
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="as for cxr -m")
    return parser


def _sweep() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr sweep",
        description="How a sweep stands, or its table of results, from any machine that sees the store of its runs.",
    )
    parser.add_argument("action", choices=("status", "results"))
    parser.add_argument("id", metavar="ID", help="of the sweep, as it was printed when it began")
    parser.add_argument("--uri", help="the server that has its runs, if it is not the store of this folder")
    parser.add_argument("--work", type=Path, default=FOLDER, metavar="FOLDER", help="work.dir of the sweep, if it had one")
    return parser


PARSERS = {"plan": _plan, "submit": _submit, "sweep": _sweep}
