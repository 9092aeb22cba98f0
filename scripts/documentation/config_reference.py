"""Prints the configuration reference: each group with its options, and each setting with its type, default and range."""

from dataclasses import Field
from typing import Any

from cxr.config.fields import settings
from cxr.config.launchers import LAUNCHERS
from cxr.config.options import CONF_DIR, option_groups
from cxr.config.schema import Config, DataConfig, PhantomConfig

_HEAD = """# Configuration reference

`scripts/config_reference` writes this page from `conf/` and the schema. `group=option` chooses an option. `group.key=value` sets
one value. `cxr --cfg job` prints the composed config.

## Options

The first option of a group is its default, if it has one.
"""


def first_comment(group: str, option: str) -> str:
    """What an option is and when to choose it: its first comment line that is no command and no directive."""
    lines = (CONF_DIR / group / f"{option}.yaml").read_text(encoding="utf-8").splitlines()
    comments = [line[2:] for line in lines if line.startswith("# ")]
    return next(line for line in comments if not line.startswith(("@", "cxr ")))


def default_options() -> dict[str, str]:
    """The option that conf/config.yaml chooses in each group."""
    lines = (CONF_DIR / "config.yaml").read_text(encoding="utf-8").splitlines()
    entries = [line.partition("#")[0].strip().removeprefix("- ").removeprefix("optional ").partition(": ") for line in lines]
    return {group: option.strip() for group, colon, option in entries if colon and group in option_groups()}


def type_and_range(item: Field[Any]) -> str:
    """Two cells of a table: the type of a setting as the schema has it, and the values that it takes."""
    name = item.type if isinstance(item.type, str) else getattr(item.type, "__name__", str(item.type))
    kind = str(item.type) if name in ("dict", "list") else str(name)
    names = item.metadata.get("names", ())
    values = ", ".join(f"`{name}`" for name in names) if len(names) < 8 else "see the schema"
    return f"{kind.replace('|', 'or')} | {values or item.metadata.get('text', '')}"


def print_options() -> None:
    """One table a group."""
    defaults = default_options()
    for group, options in option_groups().items():
        print(f"### {group}\n\n| option | what it is |\n|---|---|")
        for option in sorted(options, key=lambda name: (name != defaults.get(group), name)):
            print(f"| `{option}` | {first_comment(group, option)} |")
        print()


def print_settings() -> None:
    """One table of all settings; a default here is that of the schema, which options replace."""
    print("## Settings\n\n| setting | type | values |\n|---|---|---|")
    for key, _, item in settings(Config(data=DataConfig(phantom=PhantomConfig()))):
        print(f"| `{key}` | {type_and_range(item)} |")


def print_launchers() -> None:
    """One table of the settings of launchers."""
    print("\n## Launchers\n\n`hydra/launcher=NAME` chooses one; see [scale](scale.md).\n")
    print("| launcher | setting | type | values |\n|---|---|---|---|")
    for name, launcher in LAUNCHERS.items():
        for key, _, item in settings(launcher()):
            print(f"| `{name}` | `hydra.launcher.{key}` | {type_and_range(item)} |")


def main() -> None:
    """Print the page."""
    print(_HEAD)
    print_options()
    print_settings()
    print_launchers()


if __name__ == "__main__":
    main()
