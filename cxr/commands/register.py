"""`cxr register RUN --name NAME`: put a run's model into MLflow's registry, unless its audit is against it."""

from cxr.commands.arguments import parse
from cxr.commands.export import export_run
from cxr.compare.runs import name_with_id
from cxr.errors import UserError
from cxr.evaluation.light import TAG, Light, light_of
from cxr.predict.model import CARD
from cxr.text import as_called, in_shell
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.models import REGISTERED, register
from cxr.tracking.scratch import scratch
from cxr.tracking.search import find_run
from cxr.tracking.store import opened_store


def main(arguments: list[str]) -> None:
    """Export the model, register the export, and print its name in the registry.

    Raises:
        UserError: The run is an evaluation.
    """
    args = parse("register", arguments)
    store = opened_store()
    run = find_run(args.run, store)
    if run.tags.get("cxr.role") == "evaluation":
        raise UserError(f"{name_with_id(run)} is an evaluation: register the run behind it, {run.tags['cxr.evaluates'][:8]}")
    light = light_of(run.tags)
    if not args.despite:
        _check(run, light)
    with scratch() as place:
        made = export_run(args.run, store, place / "exported")
        tags = {"cxr.run": run.id, TAG: light.value if light else "not audited", "cxr.model_sha256": made.model.sha256}
        card = (made.folder / CARD).read_text(encoding="utf-8")
        version = register(made.folder, args.name, args.alias, run.id, card, tags)
    called = f"{REGISTERED}{args.name}@{args.alias}" if args.alias else f"{REGISTERED}{args.name}/{version}"
    print(f"  {name_with_id(run)} is version {version} of {args.name}; its audit: {light.label if light else 'there is none'}")
    print(as_called(f"  Ask it with  {in_shell('cxr', 'predict', called)} FILE_OR_FOLDER"))


def _check(run: LoggedRun, light: Light | None) -> None:
    """Raise `UserError` unless the audit rules strong evidence of a shortcut out: one that failed, or saw too little, does not."""
    despite = "give --despite to register it all the same"
    if light is None:
        raise UserError(f"{name_with_id(run)} was not audited: audit it with  cxr audit {run.short_id}, or {despite}")
    if light in (Light.UNKNOWN, Light.STRONG):
        problem = "does not say whether it has a shortcut" if light is Light.UNKNOWN else f"found {light.label}"
        raise UserError(f"the audit of {name_with_id(run)} {problem}: read its report, and {despite}")
