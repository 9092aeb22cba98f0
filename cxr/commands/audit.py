"""`cxr audit RUN`: what the model of a logged run may have learned besides the disease."""

from dataclasses import replace

from omegaconf import OmegaConf
from rich import box
from rich.table import Table

from cxr.audit.audit import Audit, audit
from cxr.audit.regions import REGIONS
from cxr.audit.traits import TRAITS
from cxr.commands.arguments import parse
from cxr.compare.runs import in_short
from cxr.config.options import CONF_DIR
from cxr.errors import UserError
from cxr.progress import Progress, plain_console, wide_console
from cxr.reevaluate.audited import keep_audit, read_subject
from cxr.reproduce.verdict import check_finished
from cxr.run.logged import read_logged, restore
from cxr.tracking.search import find_run
from cxr.tracking.store import check_store, open_store, store_with_runs
from cxr.tracking.unfinished import close_cut_off_runs
from cxr.training.runtime import prepare_tensorflow

_LEAK = 0.52  # of the AUC with shuffled labels, by the lower end of its interval


def main(arguments: list[str]) -> None:
    """Audit, add the result to the run, and print it."""
    asked = parse("audit", arguments)
    store = store_with_runs()
    check_store(store)
    open_store(store)
    close_cut_off_runs(store)
    run = find_run(asked.run, store)
    if run.tags.get("cxr.role") == "evaluation":
        raise UserError(f"{in_short(run)} is an evaluation: audit the run behind it, {run.tags['cxr.evaluates'][:8]}")
    check_finished(run)
    logged, progress = read_logged(run), Progress()
    config = restore(logged, asked.elsewhere).config
    model = run.file("model/model.keras")
    most = OmegaConf.load(CONF_DIR / "audit" / ("full.yaml" if asked.full else "standard.yaml")).images
    subject = read_subject(logged, config, most, progress)
    prepare_tensorflow(replace(config.training, threads=None))
    from cxr.training.trained_model import open_model  # imports Keras

    with progress.stage("audit", f"Auditing {len(subject.labels)} images"):
        found = audit(subject, open_model(model, config))
    keep_audit(store, run, found)
    _print(found, in_short(run))


def _print(found: Audit, run: str) -> None:
    console, plain = wide_console(), plain_console()
    console.print(_regions(found), _traits(found), _changes(found), *([_gate(found)] if found.gate else []))
    plain.print(f"  {found.masks_from}")
    shares = [f"{each.label} {each.in_lungs:.0%}" for each in found.saliency if each.in_lungs is not None]
    even = [each.evenly for each in found.saliency if each.evenly is not None]
    if shares:
        plain.print(f"  Grad-CAM in the lungs: {', '.join(shares)}; an even map has {sum(even) / len(even):.0%}")
    _print_sources(found)
    leaks = (found.shuffled_labels.low or 0) > _LEAK
    meaning = "labels leak into the probe, so trust nothing above" if leaks else "0.5 is chance"
    plain.print(f"  With shuffled labels a probe tells the class with AUC {found.shuffled_labels.in_words}: {meaning}")
    plain.print(f"Verdict on {run}: {found.verdict.in_words}")
    plain.print(f"  {found.verdict.limits}")


def _print_sources(found: Audit) -> None:
    plain = plain_console()
    if found.sources is None:
        plain.print(f"  Sources: {found.no_sources}")
        return
    within = [f"{label} {each.in_words}" for label, each in found.sources.within.items() if each.value is not None]
    inside = f"; within a class: {', '.join(within)}" if within else ""
    plain.print(f"  {found.sources.class_from_source}")
    plain.print(f"  A probe tells the source with AUC {found.sources.told.in_words}{inside}")
    for each in found.sources.contrasts:
        plain.print(f"  Within {each.source}, the model tells {' from '.join(each.classes)} with AUC {each.auc.in_words}")


def _regions(found: Audit) -> Table:
    table = _table("Regions: how well the class is told from each", "probe, macro AUC", "model, macro AUC", "model, accuracy")
    for each in found.regions:
        filled = "" if each.fill == "mean" else f", filled by {each.fill}"
        table.add_row(f"{REGIONS[each.region]}{filled}", each.probe.in_words, each.model_auc.in_words, each.model_accuracy.in_words)
    return table


def _traits(found: Audit) -> Table:
    majority = f"{found.traits[0].majority:.3f}" if found.traits else "-"
    table = _table("Traits: how well each alone tells the class", "macro AUC", f"accuracy (most frequent class: {majority})")
    for each in sorted(found.traits, key=lambda each: -(each.auc.value or 0)):
        table.add_row(TRAITS[each.trait], each.auc.in_words, each.accuracy.in_words)
    return table


def _changes(found: Audit) -> Table:
    table = _table("Changes: what they do to held-out predictions, worst first", "other class", "mean change", "mostly to")
    for each in found.changes:
        table.add_row(each.name, each.flipped.in_words, f"{each.moved:.3f}", each.towards)
    return table


def _gate(found: Audit) -> Table:
    table = _table("Odd images: how many pass a gate that lets 95 % of known ones pass", "pass", "model sure (90 %)")
    for each in found.gate:
        table.add_row(each.kind, each.passed.in_words, each.confident.in_words)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="left" if column == "mostly to" else "right")
    return table
