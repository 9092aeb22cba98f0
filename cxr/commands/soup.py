"""`cxr soup SWEEP`: average the weights of a sweep's best runs, and log the result as a run that is evaluated once."""

import math
from dataclasses import replace

from omegaconf import OmegaConf

from cxr.commands.arguments import parse
from cxr.compare.runs import name_with_id
from cxr.errors import UserError
from cxr.progress import Progress
from cxr.run.identity.logged import read_logged, restore
from cxr.run.prepared import prepare
from cxr.run.start import run_experiment
from cxr.text import as_called, pluralize
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import FINISHED, filtered_runs, find_run, of_sweep
from cxr.tracking.store import Store
from cxr.tracking.unfinished import settled_store

_ORDER = "val/log_loss"  # lower is better: the first run that is tried, and always stays, is the best by it


def main(arguments: list[str]) -> None:
    """Choose the runs, average them, and evaluate the result.

    Raises:
        UserError: There are too few runs.
    """
    args = parse("soup", arguments)
    if args.most < 2:
        raise UserError(f"--most {args.most} is too few: a soup needs two runs or more")
    store = settled_store(writing=True)
    named = _named(args.runs, store)
    losses = {run.id: math.inf if math.isnan(loss := run.metrics.get(_ORDER, math.nan)) else loss for run in named}
    runs = sorted(named, key=lambda run: (losses[run.id], run.id))[: args.most]
    if len(runs) < 2:
        raise UserError(f"a soup needs two finished runs or more, and {args.runs[0]} has {pluralize(len(runs), 'run')}")
    logged = read_logged(runs[0])
    restored = restore(logged, args.elsewhere)
    ids = [run.id for run in runs]
    config = replace(
        restored.config,
        training=replace(restored.config.training, soup=ids, threads=None),
        tracking=replace(restored.config.tracking, run_name=f"soup-of-{len(ids)}", role="candidate"),
    )
    provenance = replace(
        restored.provenance,
        overrides=(*restored.provenance.overrides, f"training.soup=[{','.join(ids)}]"),
        yaml=OmegaConf.to_yaml(OmegaConf.structured(config)),
        reproduces=None,
    )
    print(f"A soup of up to {pluralize(len(runs), 'run')}, best first: {', '.join(name_with_id(run) for run in runs)}")
    progress = Progress()
    made = run_experiment(config, provenance, progress, prepared=prepare(config, provenance, progress, logged.manifest))
    print(as_called(f"  Is it better than its best run?  cxr compare {made.run_id[:8]} {runs[0].short_id}"))


def _named(words: list[str], store: Store) -> list[LoggedRun]:
    """The finished runs of the sweeps and the runs with these names, each once, without evaluations and soups."""
    runs: dict[str, LoggedRun] = {}
    for word in words:
        of_word = filtered_runs(f"{of_sweep(word)} and {FINISHED}") or [find_run(word, store)]
        runs |= {run.id: run for run in of_word if run.is_finished}
    trained = [run for run in runs.values() if run.tags.get("cxr.role") != "evaluation"]
    return [run for run in trained if run.params.get("training.soup", "[]") == "[]"]
