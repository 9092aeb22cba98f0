"""`cxr data`: inspect a set of images before training. Loads no TensorFlow and no MLflow."""

import argparse
from pathlib import Path

from cxr.config.compose import compose, typed
from cxr.errors import UserError


def main(arguments: list[str]) -> int:
    """Run one action. Return 1 if `check` finds a problem, else 0."""
    asked = _parser().parse_intermixed_args(arguments)
    if asked.each < 1:
        raise UserError(f"--each {asked.each} shows nothing: give a number of at least 1")
    if asked.action == "fetch":
        from cxr.data.sources.fetch import fetch

        found = fetch(asked.to)
        print(f"The database is in {found}\nRead every file with  cxr data check data=radiography data.root={found}")
        return 0
    config = typed(compose(asked.overrides)[0])
    from cxr.commands.data_actions import check, index, show  # pandas takes half a second

    if asked.action == "check":
        return check(config)
    if asked.action == "index":
        index(config, asked.to or Path("manifest.csv"))
    else:
        show(config, asked.to or Path("contact_sheet.png"), asked.each)
    return 0


def _parser() -> argparse.ArgumentParser:
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
