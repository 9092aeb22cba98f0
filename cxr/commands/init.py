"""`cxr init`: make a project of the user's own. Loads nothing slow."""

from pathlib import Path

from cxr.commands.arguments import parse
from cxr.commands.output import check_folders
from cxr.errors import UserError
from cxr.text import as_called, in_shell

_DATA = """\
# @package _global_
# My images: a folder with one folder of images for each class. Sets backbone=mobilenet_v2.
defaults:
  - override /backbone: mobilenet_v2

data:
  name: mine
  root: images # from the folder in which cxr is called; or an absolute path
  classes: null # null: every folder; or a list of those to use
  citation: "" # of the images, and their licence: the report names both
  licence: ""

evaluation:
  urgent: null # the class to be found, for thresholds and loss=cost; null: COVID, or of two classes the one that is not normal
  routine: null # the normal class; null: one called Normal, No Finding, Healthy or Negative
# backbone: {weights: FILE} # where ImageNet weights can't be downloaded
"""
_PRESET = """\
# @package _global_
# cxr experiment=mine
# Fine-tuning of the last stage on my images. Say here what to expect, once it has run.
defaults:
  - override /data: mine
  - override /freeze: last_stage
"""
_README = """\
# A project with cxr

`conf/` holds options of this project: `conf/data/mine.yaml` names the images, `conf/experiment/mine.yaml` is a preset. A file
`conf/GROUP/NAME.yaml` is the option `GROUP=NAME`, in every group that `cxr --help` lists.

    export CXR_CONFIG=$PWD/conf
    cxr --help
    cxr data check data=mine
    cxr plan data=mine
    cxr experiment=frozen_head_baseline data=mine
    cxr experiment=mine

Images belong into `images/CLASS/`. Runs are kept in `mlruns/`; git ignores both. Research use only.
"""
_IGNORED = "mlruns/\nimages/\n"
_FILES = {"conf/data/mine.yaml": _DATA, "conf/experiment/mine.yaml": _PRESET, "README.md": _README, ".gitignore": _IGNORED}


def main(arguments: list[str]) -> None:
    """Write the files.

    Raises:
        UserError: The folder holds something.
    """
    folder: Path = parse("init", arguments).folder
    check_folders(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there and not empty: name a new folder")
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    print(f"Made {folder} with {', '.join(_FILES)}. Put images into {folder}/images/CLASS/, then:")
    print(as_called(f"  cd {in_shell(folder)}; export CXR_CONFIG=$PWD/conf\n  cxr data check data=mine\n  cxr experiment=mine"))
