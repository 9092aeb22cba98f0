"""`cxr completion`: what makes the tab key complete commands, options, settings and runs. Loads neither MLflow nor TensorFlow."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from cxr.commands.arguments import PARSERS, parse
from cxr.config.fields import settings
from cxr.config.options import option_groups
from cxr.config.schema import Config

_BASH = """\
_cxr() {
    local line="${COMP_LINE:0:COMP_POINT}" candidates
    read -r -a candidates <<< "$line"
    [[ "$line" == *" " ]] && candidates+=("")
    mapfile -t COMPREPLY < <(cxr completion words -- "${candidates[@]:1}" 2>/dev/null)
    local word="${candidates[-1]}"
    if [[ "$word" == *=* && "$COMP_WORDBREAKS" == *=* ]]; then COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*=}"}"}"); fi
    [[ "${COMPREPLY[0]}" == *= || "${COMPREPLY[0]}" == *. ]] && compopt -o nospace
}
complete -o default -F _cxr cxr
"""
_ZSH = f"autoload -Uz bashcompinit && bashcompinit\n{_BASH}"
_OF_RUNS = ("audit", "compare", "evaluate", "folds", "reproduce")
_STORE = Path("mlruns/mlflow.db")


def main(arguments: list[str]) -> None:
    """Print the script of a shell, or the candidates for the last word."""
    args = parse("completion", arguments)
    if args.shell == "words":
        words = args.words or [""]
        print("\n".join(word for word in candidates(words) if word.startswith(words[-1])))
    else:
        print(_BASH if args.shell == "bash" else _ZSH, end="")


def candidates(words: list[str]) -> list[str]:
    """Candidates for the last of the words after `cxr`."""
    first, last = words[0], words[-1]
    if len(words) == 1 and "=" not in last and "." not in last:
        return [*PARSERS, *(f"{group}=" for group in option_groups()), "-m", "--help", "--version", "--cfg"]
    if first in _OF_RUNS and "=" not in last and not last.startswith("-"):
        return [*run_names(), *(_overrides(last) if first in ("audit", "evaluate", "reproduce") and len(words) > 2 else [])]
    if first == "data" and len(words) == 2:
        return ["index", "check", "show", "fetch"]
    return _overrides(last)


def run_names() -> list[str]:
    """Names of the runs in the store of this folder, newest first; read as data, as MLflow would take seconds to start."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{_STORE}?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT name FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time DESC LIMIT 500")
        return list(dict.fromkeys(str(name) for (name,) in rows if name))
    return []


def _overrides(word: str) -> list[str]:
    group, equals, _ = word.partition("=")
    if equals:
        return [f"{group}={option}" for option in option_groups().get(group, [])]
    if "." in word:
        return [f"{name}=" for name, _, _ in settings(Config())]
    return [f"{group}{end}" for end in "=." for group in option_groups()]
