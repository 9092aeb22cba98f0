"""`cxr export RUN --to FOLDER`: a run's model and all that its answers depend on, in a folder of its own."""

from cxr.commands.arguments import parse
from cxr.compare.runs import in_short
from cxr.config.schema import TrainingConfig
from cxr.errors import UserError
from cxr.predict.model import read_run_model
from cxr.predict.source import opened_store
from cxr.text import as_called
from cxr.tracking.search import LoggedRun, find_run
from cxr.tracking.store import Store
from cxr.training.runtime import prepare_tensorflow

_CARD = "model_card.md"


def main(arguments: list[str]) -> None:
    """Write the folder, and say how to use it."""
    asked = parse("export", arguments)
    store = opened_store()
    model, card = read_run_model(asked.run, store), card_of(asked.run, store)
    prepare_tensorflow(TrainingConfig())
    from cxr.predict.export import export  # imports Keras

    made = export(model, card, asked.to)
    for name, difference in made.differences.items():
        print(f"  {name}: probabilities differ from Keras' by at most {difference:.1e} on 24 phantoms")
    for name, packages in made.left_out.items():
        print(f"  {name}: left out; it needs  pip install {packages}")
    print(f"  {made.folder} holds {model.name}; its README.md says what is what")
    print(as_called(f"  Ask it with  cxr predict {made.folder} FILE_OR_FOLDER  or serve it with  cxr serve {made.folder}"))


def card_of(reference: str, store: Store) -> str:
    """The model card of a run, or of the run behind an evaluation; raises `UserError` where its report is missing."""
    run: LoggedRun = find_run(reference, store)
    behind = find_run(run.tags["cxr.evaluates"], store) if run.tags.get("cxr.role") == "evaluation" else run
    if not behind.has_file(_CARD):
        raise UserError(f"{in_short(behind)} has no model card yet: make its report first with  cxr evaluate {behind.short_id}")
    return behind.file(_CARD).read_text(encoding="utf-8")
