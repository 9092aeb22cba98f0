"""The limits of MLflow's stores, checked before a run starts."""

from collections.abc import Iterable, Mapping

from cxr.errors import UserError

MOST_IN_NAME = 250  # characters of a metric, param or tag name
MOST_IN_PARAM = 6000
MOST_IN_TAG = 5000  # MLflow takes 8,000, and databases of older versions 5,000
MOST_IN_EXPERIMENT = 500
_WRAPPED = len("interval/vs_baseline/") + len("_lo")  # what is put around a metric's name; external/ is shorter


def check_metric_names(names: Iterable[str]) -> None:
    """Raise `UserError` if the name of a metric, with part and interval, is too long for a store."""
    longest = max(names, key=len)
    if len(longest) + _WRAPPED > MOST_IN_NAME:
        raise UserError(
            f"a class has so long a name that its metrics ({longest[:40]}...) pass the {MOST_IN_NAME} characters that MLflow "
            f"holds, by {len(longest) + _WRAPPED - MOST_IN_NAME}: give it a shorter one, in the folder or with data.merge"
        )


def check_names(experiment: str, run_name: str | None) -> None:
    """Raise `UserError` for names of an experiment or run that a store can't hold."""
    for key, name, most in (("experiment", experiment, MOST_IN_EXPERIMENT), ("run_name", run_name or "-", MOST_IN_TAG)):
        if not name.strip() or len(name) > most or not name.isprintable():
            raise UserError(f"tracking.{key}={name[:40]!a} can't be kept: give a text in one line of 1 to {most} characters")


def shortened(values: Mapping[str, str], most: int) -> dict[str, str]:
    """The params with values shortened to the store's limit, and marked; config/config.yaml has the full values.

    >>> shortened({"data.classes": "abcdefgh"}, 6)
    {'data.classes': 'abc...'}
    """
    return {name: value if len(value) <= most else f"{value[: most - 3]}..." for name, value in values.items()}
