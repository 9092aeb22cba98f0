"""`cxr export RUN --to FOLDER`: a run's model and all that its answers depend on, in a folder of its own."""

from pathlib import Path

from cxr.commands.arguments import parse
from cxr.commands.output import check_folders
from cxr.compare.runs import name_with_id
from cxr.config.schema import TrainingConfig
from cxr.errors import UserError
from cxr.predict.model import CARD, Exported, read_run_model, run_behind
from cxr.text import as_called, in_shell
from cxr.tracking.search import find_run
from cxr.tracking.store import Store, opened_store
from cxr.training.runtime import prepare_tensorflow


def main(arguments: list[str]) -> None:
    """Write the folder, and print how to use it."""
    args = parse("export", arguments)
    check_folders(args.to)
    made = export_run(args.run, opened_store(), args.to)
    for name, difference in made.differences.items():
        print(f"  {name}: probabilities differ from Keras' in float32 by at most {difference:.1e} on 24 phantoms")
    facts = made.model.facts
    if facts.precision != "float32":
        print(f"  {facts.precision}, in which cxr answers: probabilities differ from float32 by at most {facts.from_float32:.1e}")
    for name, packages in made.left_out.items():
        print(f"  {name}: left out; it needs  pip install {packages}")
    print(f"  {made.folder} holds {made.model.name}; its README.md says what is what")
    name = in_shell(made.folder)
    print(as_called(f"  Ask it with  cxr predict {name} FILE_OR_FOLDER  or serve it with  cxr serve {name}"))


def export_run(reference: str, store: Store, folder: Path) -> Exported:
    """Export a run, or the run behind an evaluation with the thresholds of that.

    Raises:
        UserError: Its report is missing.
    """
    model, behind = read_run_model(reference, store), run_behind(find_run(reference, store), store)
    if not behind.has_file(CARD):
        raise UserError(f"{name_with_id(behind)} has no model card yet: make its report first with  cxr evaluate {behind.short_id}")
    card = behind.file(CARD).read_text(encoding="utf-8")
    prepare_tensorflow(TrainingConfig())
    from cxr.predict.export import export  # imports Keras

    return export(model, card, folder)
