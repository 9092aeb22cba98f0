"""`cxr runs`: list the runs of the store, newest first, or what a command would make again. Loads no TensorFlow."""

from rich.table import Table

from cxr.commands.arguments import parse
from cxr.commands.output import new_table
from cxr.compare.runs import name_with_id, positive_class_of
from cxr.config.compose import compose, typed
from cxr.errors import UserError
from cxr.evaluation.metric_table import by_class, overall
from cxr.progress import Progress, plain_console, wide_console
from cxr.run.identity.reasons import reasons_of, stages_of
from cxr.run.identity.remaining import Remaining, inputs_in_store, lacking, wanted_stages
from cxr.run.prepared import prepare
from cxr.stages.record import Kind
from cxr.text import as_called, part_in_full, pluralize
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import filtered_runs, find_run, of_sweep
from cxr.tracking.store import opened_store
from cxr.tracking.unfinished import close_cut_off_runs

_OPTIONS = ("freeze.name", "augment.name", "loss.name", "optimizer.name", "data.name", "split.name")  # that words may match

_WIDE = 110  # columns of a terminal that has room for all


def main(arguments: list[str]) -> None:
    """Print the runs that match as a table or as names, or with --why what a command would make again of one.

    Raises:
        UserError: No run matches, or `--most` is negative.
    """
    args = parse("runs", arguments)
    if args.most < 0:
        raise UserError(f"--most {args.most} lists nothing: give 0 for all runs, or how many")
    store = opened_store(writing=False)
    if args.why:
        _print_why(find_run(args.why, store), args.words)
        return
    if not args.names:
        close_cut_off_runs(store)
    wanted = " and ".join(filter(None, [of_sweep(args.sweep) if args.sweep else "", args.filter or ""]))
    matches = [run for run in filtered_runs(wanted) if all(word.lower() in _described(run) for word in args.words)]
    if args.names:
        print("\n".join(dict.fromkeys(text for run in matches for text in (run.name, run.short_id))))
        return
    if not matches:
        raise UserError("no run matches: cxr runs without words lists all of them")
    shown = matches[: args.most or None]
    console = wide_console()
    console.print(_table(shown, console.width >= _WIDE))
    if len(shown) < len(matches):
        count = pluralize(len(matches), "run")
        plain_console().print(as_called(f"  The newest {len(shown)} of {count}: cxr runs --most 0 lists all"))


def _print_why(run: LoggedRun, overrides: list[str]) -> None:
    """Which stages a command would make again of a run, and why."""
    composed, provenance = compose(overrides)
    prepared = prepare(typed(composed), provenance, Progress())
    left = Remaining(lacking(run, wanted_stages(prepared), inputs_in_store(prepared)), run)
    out, named = plain_console(), name_with_id(run)
    if Kind.OLDER in {reason.kind for reasons in left.stages.values() for reason in reasons}:
        out.print(f"Run {named} is of a version of cxr that kept no records: cxr cannot tell")
    elif left.is_nothing:
        out.print(f"Run {named} has all that this command would make")
    else:
        out.print(f"Of run {named} this command would make again: {stages_of(left)}")
        for line in reasons_of(left, prepared.dataset.manifest):
            out.print(f"  {line}")


def _described(run: LoggedRun) -> str:
    """The text, in lower case, that has to contain the words of the command."""
    options = [run.params.get(key, "") for key in _OPTIONS]
    return " ".join([run.name, run.id, _role(run), state(run), run.tags.get("cxr.sweep_id", ""), *options]).lower()


def state(run: LoggedRun) -> str:
    """The state of a run: `finished`, `trained, no report`, `running`, `failed`, `interrupted` or `cut off`."""
    if run.is_finished:
        return "finished"
    if run.holds_training:
        return "trained, no report"
    return {"RUNNING": "running", "FAILED": "failed", "KILLED": "interrupted"}.get(run.status, "cut off")


def _role(run: LoggedRun) -> str:
    return run.tags.get("cxr.role", "not of cxr")


def _table(runs: list[LoggedRun], wide: bool) -> Table:
    """A row a run; a narrow terminal gets neither the part nor the role nor the year nor the accuracy."""
    metrics = {metric.name: metric.label for metric in overall("headline") if wide or metric.name != "accuracy"}
    sensitivity = by_class("headline")[0]
    left = ("started (UTC)", "name", "id", "state", *(("role", "on") if wide else ()))
    table = new_table((*left, *metrics.values(), sensitivity.label), left=left)
    table.columns[0].no_wrap = table.columns[2].no_wrap = True
    for run in runs:
        part, positive = run.tags.get("cxr.judged_on", ""), positive_class_of(run)
        values = [run.metrics.get(f"{part}/{name}") for name in (*metrics, f"{positive}/{sensitivity.name}")]
        numbers = ["-" if value is None or not run.is_finished else f"{value:.3f}" for value in values]
        more = (_role(run), part_in_full(part)) if wide else ()
        table.add_row(run.day if wide else run.day[5:], run.name, run.short_id, state(run), *more, *numbers)
    return table
