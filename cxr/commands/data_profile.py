"""`cxr data profile`: a page about a set of images, before anything is trained on it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from cxr.commands.data_actions import check_output
from cxr.config.schema import Config
from cxr.data.profile_copy import profile_copy
from cxr.errors import UserError, writing
from cxr.profile.page import is_profile, verdict_text, write_profile
from cxr.profile.profile import profile_of
from cxr.progress import Progress
from cxr.run.prepared import cache_of
from cxr.text import in_shell


def profile(config: Config, to: Path, overrides: Sequence[str]) -> None:
    """Write the page, and print its verdict.

    Raises:
        UserError: The file is no page that this command wrote, or its folder is not there; before any image is read.
    """
    if to.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--to {to} is no HTML file: give a name that ends in .html")
    if to.exists() and not (to.is_file() and is_profile(to)):
        raise UserError(f"{to} exists and is no profile that cxr wrote: choose another file with --to FILE")
    check_output(to, config.data)
    progress = Progress()
    cache = cache_of(config, progress)
    result = profile_of(config, progress.stage, cache)
    with progress.stage("page", f"Writing {to}"):
        write_profile(to, result, in_shell("cxr", "data", "profile", *overrides))
        if cache:
            _keep(to, profile_copy(cache.folder, result.fingerprint))
    print(f"  {to}: {verdict_text(result.traits)}")


def _keep(page: Path, copy: Path) -> None:
    with writing(copy):
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(page, copy)
