"""The options in conf/, read from file names alone, and the text of `cxr --help`."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
# An installed wheel carries conf/ inside the package; a checkout has it beside the package.
CONF_DIR = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"

_USAGE = """\
cxr: experiments on chest X-ray classification by transfer learning. Research use only.

  cxr                                              train and evaluate on the embedded phantom images
  cxr data=radiography data.root=FOLDER            on the COVID-19 Radiography Database
  cxr data=folder data.root=FOLDER                 on any folder of class folders
  cxr freeze=top_stage loss=focal optimizer=adamw  choose options; cxr optimizer.learning_rate=3e-4 sets one value
  cxr -m freeze=head,top_block loss=plain,focal    a sweep: every combination; the same command resumes it
  cxr experiment=frozen_head_baseline              a preset
  cxr --cfg job                                    print the config that these arguments compose, and stop
  cxr data index OVERRIDES                         write the manifest of a set of images; also check, show, fetch
  cxr compare RUN RUN                              paired statistics of runs on the same images
  cxr evaluate RUN evaluation.sensitivity=0.98     evaluate a run again, or its model on other data
  cxr reproduce RUN                                repeat a logged run, and report every difference
  cxr folds                                        summarise a cross-validation
  cxr ui                                           open the MLflow UI on the runs made here
  cxr cache                                        show the disk cache; cxr cache clear empties it
  cxr send                                         send results that a lost MLflow server did not get

Options (group=option):

{options}

Hydra's own flags work too: cxr --hydra-help lists them (--info, --config-dir, tab completion).
"""


def option_groups() -> dict[str, list[str]]:
    """Options by group, both sorted."""
    folders = sorted(folder for folder in CONF_DIR.iterdir() if folder.is_dir() and folder.name != "hydra")
    return {folder.name: sorted(option.stem for option in folder.glob("*.yaml")) for folder in folders}


def usage() -> str:
    """What `cxr --help` prints; Hydra's own listing of the same options takes more than a second."""
    return _USAGE.format(options="\n".join(f"  {group}: {', '.join(options)}" for group, options in option_groups().items()))
