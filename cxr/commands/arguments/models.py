"""Commands on a model: what it is made of, what it answers, and where it goes."""

import argparse
from pathlib import Path

from cxr.commands.arguments.outputs import output_path


def _backbones() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr backbones",
        description="List backbones with their parameters, cost, image size and weights; of one its depths, stages and blocks.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a backbone (default: list all)")
    return parser


def _export() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr export",
        description="Write a run's model and all that its answers depend on into a folder: .keras, OpenVINO, thresholds, gate and "
        "model card. MLflow can serve it, and Keras alone can use it.",
    )
    parser.add_argument("run", metavar="RUN", help="id, beginning of an id, or name")
    parser.add_argument("--to", type=output_path, required=True, metavar="FOLDER", help="a new or empty folder")
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
        "--to", type=output_path, default=Path("predictions"), metavar="FOLDER", help="where answers go (default: predictions)"
    )
    parser.add_argument(
        "--point",
        choices=("argmax", "sensitivity", "specificity", "cost", "calibrated"),
        default="argmax",
        help="the operating point that chooses the class, as evaluated in the run's report (default: argmax)",
    )
    parser.add_argument("--no-gate", action="store_true", help="give a class to images unlike those that the model knows, too")
    parser.add_argument("--resume", action="store_true", help="resume a batch that was interrupted")
    parser.add_argument("--heatmaps", type=output_path, metavar="FOLDER", help="write Grad-CAM of each answered image here")
    parser.add_argument("--html", type=output_path, metavar="FILE", help="write a page with thumbnails, most urgent first")
    parser.add_argument(
        "--dicom-sr", type=output_path, metavar="FOLDER", help="write a DICOM structured report for each answered DICOM file here"
    )
    parser.add_argument("--log", type=output_path, metavar="FILE", help="add a line for each answer to an audit log")
    parser.add_argument("--verify-log", type=Path, metavar="FILE", help="check that no line of an audit log was changed")
    return parser


def _register() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr register",
        description="Put a run's model into MLflow's registry, with its model card. A model whose audit found strong evidence of a "
        "shortcut, does not know, or was never made is rejected.",
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
    parser.add_argument("--max-body", type=int, default=64, metavar="MB", help="largest body of a request (default: 64)")
    return parser


PARSERS = {"backbones": _backbones, "export": _export, "predict": _predict, "register": _register, "serve": _serve}
