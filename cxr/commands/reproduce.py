"""`cxr reproduce RUN`: repeat a logged run and report every difference."""

import sys
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from cxr.commands.arguments import parse
from cxr.commands.output import print_table
from cxr.errors import UserError
from cxr.progress import Progress
from cxr.reproduce.agreement import Agreement, check_finished, compare_again
from cxr.reproduce.changes import (
    EnvironmentChange,
    code_changes,
    commands_for_logged_code,
    config_changes,
    data_changes,
    environment_changes,
    weights_changes,
)
from cxr.run.identity.logged import Logged, Restored, read_logged, restore
from cxr.run.prepared import prepare
from cxr.run.start import run_experiment
from cxr.system import expanded
from cxr.tracking.scratch import scratch
from cxr.tracking.search import find_run, runs_by_id
from cxr.tracking.store import Store, address_of, open_store, store_with_runs


def main(arguments: list[str]) -> int:
    """0 if the results are identical or within the tolerance, or for a dry run; 1 if they differ.

    Raises:
        UserError: An option of an earlier version is given.
    """
    args = parse("reproduce", arguments)
    if args.removed:
        raise UserError(
            "--in-worktree, --install and --with-diff are no longer options: git worktree add ../cxr-COMMIT COMMIT, then "
            "../cxr-COMMIT/scripts/cxr reproduce RUN --from STORE; cxr reproduce RUN --dry prints these commands for a run"
        )
    store = _store_of_the_run(args.store)
    open_store(store)
    run = find_run(args.run, store)
    check_finished(run)
    logged = read_logged(run)
    restored = restore(logged, args.elsewhere)
    # Nothing is taken that the run itself may have kept: all of it is computed again. A dry run makes no folder of runs.
    with TemporaryDirectory(prefix="cxr-") if args.dry else scratch() as cache:
        return _repeat(logged, restored, args, Path(cache))


def _repeat(logged: Logged, restored: Restored, args: Namespace, cache: Path) -> int:
    progress = Progress()
    prepared = prepare(restored.config, restored.provenance, progress, logged.manifest, cache)
    changes = [
        *code_changes(logged),
        *environment_changes(logged),
        *weights_changes(logged, prepared.weights.sha256),
        *data_changes(logged, prepared.dataset.manifest),
        *config_changes(restored.changed, restored.notes),
    ]
    _print_changes(logged, changes)
    if args.dry:
        return 0
    end = run_experiment(restored.config, restored.provenance, progress, prepared=prepared)
    verdict = compare_again(logged.run, runs_by_id([end.run_id])[end.run_id], args.tolerance)
    _print_verdict(verdict, restored, [change for change in changes if change.decides])
    return 1 if verdict.kind == "different" else 0


def _store_of_the_run(named: str | None) -> Store:
    """The store of the run: a folder with mlflow.db, a URI, or the store of this folder."""
    if named is not None and "://" not in named:
        folder = expanded(named).resolve()
        if not (folder / "mlflow.db").is_file():
            raise UserError(f"--from {named} holds no mlflow.db: give a folder mlruns, or the URI of a store")
        return Store(address_of(folder / "mlflow.db"), folder)
    return store_with_runs(named)


def _print_changes(logged: Logged, changes: list[EnvironmentChange]) -> None:
    when = pd.Timestamp(logged.run.started, unit="ms").strftime("%Y-%m-%d %H:%M UTC")
    same = "Nothing that is logged differs today: same code, packages, machine, weights and images"
    lines = [f"Run {logged.run.name} ({logged.run.short_id}) of {when}, on {len(logged.manifest):,} images"]
    lines.append("What differs today:" if changes else same)
    lines += [f"  {change.what}: {change.text}{'' if change.decides else '  (should not matter)'}" for change in changes]
    if any(change.what == "code" for change in changes) and (commands := commands_for_logged_code(logged)):
        lines += ["To run the code of then:", *(f"  {command}" for command in commands)]
    print(*lines, sep="\n", file=sys.stderr, flush=True)


def _print_verdict(verdict: Agreement, restored: Restored, causes: list[EnvironmentChange]) -> None:
    rows = [
        (name, f"{then:.6f}", f"{now:.6f}", "0" if then == now else f"{now - then:+.2g}") for name, then, now in verdict.metrics
    ]
    print_table(("", "then", "now", "difference"), rows, "Metrics then and now")
    print(f"  {verdict.text}")
    if verdict.kind == "different":
        if causes:
            print("  Likely causes: " + "; ".join(f"{change.what}: {change.text}" for change in causes))
        elif not restored.config.training.deterministic:
            print("  Likely cause: training.deterministic=false, so sums were rounded in another order")
        else:
            print("  Nothing that is logged explains it")
