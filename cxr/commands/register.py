"""`cxr register RUN --name NAME`: put a run's model into MLflow's registry, unless its audit speaks against it."""

from cxr.audit.verdict import LIGHTS
from cxr.commands.arguments import parse
from cxr.commands.export import export_run
from cxr.compare.runs import in_short
from cxr.errors import UserError
from cxr.predict.model import CARD
from cxr.predict.source import opened_store
from cxr.text import as_called
from cxr.tracking.models import REGISTERED, register
from cxr.tracking.scratch import scratch
from cxr.tracking.search import LoggedRun, find_run

_NOT_AUDITED = "not audited"


def main(arguments: list[str]) -> None:
    """Export the model, register the export, and say how it is called now."""
    asked = parse("register", arguments)
    store = opened_store()
    run = find_run(asked.run, store)
    if run.tags.get("cxr.role") == "evaluation":
        raise UserError(f"{in_short(run)} is an evaluation: register the run behind it, {run.tags['cxr.evaluates'][:8]}")
    verdict = _verdict(run, asked.despite)
    with scratch() as place:
        made = export_run(asked.run, store, place / "exported")
        tags = {"cxr.run": run.id, "cxr.audit": verdict, "cxr.model_sha256": made.model.sha256}
        card = (made.folder / CARD).read_text(encoding="utf-8")
        version = register(made.folder, asked.name, asked.alias, run.id, card, tags)
    called = f"{REGISTERED}{asked.name}@{asked.alias}" if asked.alias else f"{REGISTERED}{asked.name}/{version}"
    print(f"  {in_short(run)} is version {version} of {asked.name}; its audit: {verdict}")
    print(as_called(f"  Ask it with  cxr predict {called} FILE_OR_FOLDER"))


def _verdict(run: LoggedRun, despite: bool) -> str:
    """The audit's verdict; raises `UserError` for strong evidence of a shortcut, unless it is to be registered despite that."""
    verdict = run.tags.get("cxr.audit", _NOT_AUDITED)
    if verdict == LIGHTS["strong"] and not despite:
        raise UserError(
            f"the audit of {in_short(run)} found {verdict}: read its report, and give --despite to register it all the same"
        )
    return verdict
