"""The options in conf/, read from file names alone, and the text of `cxr --help`."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from cxr.errors import UserError
from cxr.system import expanded
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
  cxr experiment=frozen_head_baseline              a preset
  cxr --cfg job                                    print the config that these arguments compose, and stop

Commands (cxr COMMAND --help):

{commands}

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
    return expanded(os.environ[OWN]).absolute() if os.environ.get(OWN) else None


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


def usage(descriptions: Mapping[str, str]) -> str:
    """What `cxr --help` prints, with the beginning of each command's description: Hydra's own listing takes more than a second."""
    folder = own_folder()
    mine = "; ".join(f"{group}: {', '.join(options)}" for group, options in options_in(folder).items() if options)
    own = f"Yours, in {folder}: {mine}" if folder else f"Options of your own: --config-dir FOLDER, or {OWN}=FOLDER for always."
    beginnings = {name: re.split(r"[.:;](?:\s|$)", text)[0] for name, text in descriptions.items()}
    commands = "\n".join(f"  {name:<12}{beginning}" for name, beginning in beginnings.items())
    options = "\n".join(f"  {group}: {', '.join(options)}" for group, options in option_groups().items())
    return _USAGE.format(commands=commands, options=options, own=own)
