"""The options in conf/, read from file names alone, and the text of `cxr --help`."""

import os
from pathlib import Path

from cxr.errors import UserError
from cxr.text import nearest

_PACKAGE = Path(__file__).resolve().parents[1]
# An installed wheel carries conf/ inside the package; a checkout has it beside the package.
CONF_DIR = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"

OWN = "CXR_CONFIG"  # the environment variable that names a folder of options of the user's own; --config-dir sets it

_USAGE = """\
cxr: experiments on chest X-ray classification by transfer learning. Research use only.

  cxr                                              train and evaluate on the embedded phantom images
  cxr data=radiography data.root=FOLDER            on the COVID-19 Radiography Database
  cxr data=folder data.root=FOLDER                 on any folder of class folders
  cxr freeze=last_stage loss=focal optimizer=adamw  choose options; cxr optimizer.learning_rate=3e-4 sets one value
  cxr -m freeze=head,last_block loss=plain,focal    a sweep: every combination; the same command resumes it
  cxr plan -m freeze=head,last_block               what a sweep would do, and how long it takes
  cxr submit freeze=head,last_block                queue a sweep on SLURM; cxr sweep status ID shows its state
  cxr experiment=frozen_head_baseline              a preset
  cxr --cfg job                                    print the config that these arguments compose, and stop
  cxr data index [OVERRIDES]                       write the manifest of a set of images; also check, show, fetch
  cxr backbones [NAME]                             list backbones, or the stages of one
  cxr runs [WORD ...]                              list runs, newest first
  cxr compare [RUN ...]                            paired statistics of runs on the same images
  cxr evaluate RUN [evaluation.sensitivity=0.98]   evaluate a run again, or its model on other data
  cxr audit RUN                                    ask what the model learned besides the disease
  cxr reproduce RUN                                repeat a logged run, and report every difference
  cxr results                                      presets in one table, with intervals and differences
  cxr soup SWEEP                                   average the weights of a sweep's best runs
  cxr folds [RUN]                                  summarise a cross-validation, or trainings with several seeds
  cxr ui [--sweep ID]                              open the MLflow UI on the runs made here
  cxr init FOLDER                                  make a project of your own: options, presets, a README
  cxr completion bash                              print what makes the tab key complete commands, options and runs
  cxr cache                                        show the disk cache; cxr cache clear empties it
  cxr send                                         send results that a lost MLflow server did not get

Options (group=option):

{options}

{own}
Hydra's own flags work too: cxr --hydra-help lists them.
"""


def option_groups() -> dict[str, list[str]]:
    """Options by group, both sorted: those of cxr, and the user's own."""
    own = options_in(own_folder()) if own_folder() else {}
    return {group: sorted({*options, *own.get(group, [])}) for group, options in options_in(CONF_DIR).items()}


def own_folder() -> Path | None:
    """The folder of the user's own options, if there is one."""
    return Path(os.environ[OWN]).absolute() if os.environ.get(OWN) else None


def options_in(folder: Path | None) -> dict[str, list[str]]:
    """The options in a folder by group, sorted."""
    groups = sorted(group for group in folder.iterdir() if group.is_dir() and group.name != "hydra") if folder else []
    return {group.name: sorted(option.stem for option in group.glob("*.yaml")) for group in groups}


def check_own_options() -> None:
    """Raise `UserError` for a folder of own options that is missing, has an unknown group, or an option that cxr has too."""
    folder = own_folder()
    if folder is None:
        return
    if not folder.is_dir():
        raise UserError(f"{OWN} or --config-dir names {folder}, not a folder: name one with folders such as data or experiment")
    known = options_in(CONF_DIR)
    for group, options in options_in(folder).items():
        if group not in known:
            raise UserError(f"{folder / group} is not a group of options: {nearest(group, known)}")
        if shadowed := sorted(set(options) & set(known[group])):
            raise UserError(f"{folder / group}/{shadowed[0]}.yaml has the name of an option of cxr: give it another name")


def usage() -> str:
    """What `cxr --help` prints; Hydra's own listing of the same options takes more than a second."""
    mine = "; ".join(f"{group}: {', '.join(options)}" for group, options in options_in(own_folder()).items() if options)
    own = (
        f"Yours, in {own_folder()}: {mine}\n"
        if own_folder()
        else f"Options of your own: --config-dir FOLDER, or {OWN}=FOLDER for always.\n"
    )
    options = "\n".join(f"  {group}: {', '.join(options)}" for group, options in option_groups().items())
    return _USAGE.format(options=options, own=own)
