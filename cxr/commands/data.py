"""`cxr data`: inspect a set of images before training. Loads no TensorFlow and no MLflow."""

from pathlib import Path

from cxr.commands.arguments import parse
from cxr.config.compose import compose, typed
from cxr.errors import UserError


def main(arguments: list[str]) -> int:
    """Run one action. Return 1 if `check` finds a problem, else 0."""
    asked = parse("data", arguments)
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
