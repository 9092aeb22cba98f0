"""Prints the configuration reference: each group with its options, and each setting with its type, default and range."""

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from cxr.config.fields import settings
from cxr.config.launchers import LAUNCHERS
from cxr.config.options import CONF_DIR, option_groups
from cxr.config.schema import Config, PhantomConfig

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
    found = {}
    for line in (CONF_DIR / "config.yaml").read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].strip().removeprefix("- ").removeprefix("optional ").partition(": ")
        if words[1] and words[0] in option_groups():
            found[words[0]] = words[2].strip()
    return found


def range_of(item: Field[Any]) -> str:
    """The values that a setting takes."""
    if "names" in item.metadata:
        return ", ".join(f"`{name}`" for name in item.metadata["names"]) if len(item.metadata["names"]) < 8 else "see the schema"
    return str(item.metadata.get("text", ""))


def type_of(item: Field[Any]) -> str:
    """The type as the schema has it."""
    name = item.type if isinstance(item.type, str) else getattr(item.type, "__name__", str(item.type))
    return str(item.type) if name in ("dict", "list") else str(name)


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
    config = Config()
    config.data.phantom = PhantomConfig()
    for key, _, item in settings(config):
        print(f"| `{key}` | {type_of(item).replace('|', 'or')} | {range_of(item)} |")


def print_launchers() -> None:
    """One table of what launchers can be told."""
    print("\n## Launchers\n\n`hydra/launcher=NAME` chooses one; see [scale](scale.md).\n")
    print("| launcher | setting | type | values |\n|---|---|---|---|")
    for name, launcher in LAUNCHERS.items():
        for key, _, item in settings(launcher()):
            print(f"| `{name}` | `hydra.launcher.{key}` | {type_of(item).replace('|', 'or')} | {range_of(item)} |")


def main() -> None:
    """Print the page."""
    assert is_dataclass(Config)
    assert all(item.default is MISSING or item.default is not None for item in fields(Config))
    print(_HEAD)
    print_options()
    print_settings()
    print_launchers()


if __name__ == "__main__":
    main()
