"""`cxr data`: inspect a set of images before training. Loads no TensorFlow and no MLflow."""

from pathlib import Path

from cxr.commands.arguments import parse
from cxr.commands.output import check_folders
from cxr.config.compose import compose, typed
from cxr.errors import UserError
from cxr.text import as_called, in_shell


def main(arguments: list[str]) -> int:
    """Run one action; 1 if `check` finds a problem, else 0.

    Raises:
        UserError: `--each` is below 1.
    """
    args = parse("data", arguments)
    if args.each < 1:
        raise UserError(f"--each {args.each} shows nothing: give a number of at least 1")
    if args.action == "fetch":
        from cxr.data.sources.fetch import fetch

        check_folders(args.to)
        folder = fetch(args.to)
        command = in_shell("cxr", "data", "check", "data=radiography", f"data.root={folder}")
        print(as_called(f"The database is in {folder}\nRead every file with  {command}"))
        return 0
    config = typed(compose(args.overrides)[0])
    if args.action == "profile":
        from cxr.commands.data_profile import profile  # scikit-learn and matplotlib take seconds

        profile(config, args.to or Path("profile.html"), args.overrides)
        return 0
    if args.action == "masks":
        from cxr.commands.data_masks import masks

        return masks(config, args.to or Path("masks"), args.each, args.overrides)
    from cxr.commands.data_actions import check, index, show  # pandas takes half a second

    if args.action == "check":
        return check(config)
    if args.action == "index":
        index(config, args.to or Path("manifest.csv"))
    else:
        show(config, args.to or Path("contact_sheet.png"), args.each)
    return 0
