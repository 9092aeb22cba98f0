"""`cxr data profile`: a page about a set of images, before anything is trained on it."""

from collections.abc import Sequence
from pathlib import Path

from cxr.commands.data_actions import check_output
from cxr.config.schema import Config
from cxr.errors import UserError
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
    result = profile_of(config, progress.stage, cache_of(config, progress))
    with progress.stage("page", f"Writing {to}"):
        write_profile(to, result, in_shell("cxr", "data", "profile", *overrides))
    print(f"  {to}: {verdict_text(result.traits)}")
