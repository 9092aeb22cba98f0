"""`cxr plan [-m] OVERRIDES`: what would run, how long it would take, and what is done already. Nothing is started."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta

from rich.filesize import decimal as in_bytes

from cxr.commands.arguments import parse
from cxr.commands.output import print_table
from cxr.errors import UserError
from cxr.model.weights import without_downloads
from cxr.progress import plain_console
from cxr.run.identity.reasons import is_worth_saying, reasons_of, stages_of
from cxr.sweep.forecast import Forecast, forecast, total_seconds
from cxr.sweep.plan import make_plan
from cxr.sweep.rationale import rationale_of_data, rationale_of_recipe
from cxr.sweep.run import look_ahead
from cxr.text import duration, pluralize
from cxr.tracking.store import check_experiment, check_store, locate_store, open_store


def main(arguments: list[str]) -> None:
    """Check every job as its sweep would, and print what it would do.

    Raises:
        UserError: A search chooses the jobs.
    """
    args = parse("plan", arguments)
    plan, common, jobs = make_plan(args.overrides)
    if not plan.names:
        raise UserError("a search chooses each job from the results of earlier jobs, so there is nothing to plan")
    store = locate_store(common.tracking, common.work)
    check_store(store)
    check_experiment(store, common.tracking.experiment)
    with without_downloads():
        plan, prepared_jobs = look_ahead(plan, common, jobs, store)
    if plan.count == 1 and not args.multirun:  # a single run, which may change what no sweep shows
        prepared_jobs = [replace(prepared, provenance=replace(prepared.provenance, job=None)) for prepared in prepared_jobs]
    has_store = store.folder is None or (store.folder / "mlflow.db").is_file()
    if has_store:
        open_store(store)
    forecasts = forecast(plan.names, prepared_jobs, has_store)
    headings = ("", "job", "state", "frozen part", "about")
    print_table(headings, [_row(number, job) for number, job in enumerate(forecasts, 1)], left=headings[1:4])
    out = plain_console()
    first = prepared_jobs[0]
    recipe = rationale_of_recipe(first) if plan.count == 1 else []
    for line in (*rationale_of_data(first.dataset, first.config.evaluation), *recipe):
        out.print(f"  {line}")
    for number, (job, prepared) in enumerate(zip(forecasts, prepared_jobs, strict=True), 1):
        for line in reasons_of(job.left, prepared.dataset.manifest) if is_worth_saying(job.left) or plan.count == 1 else ():
            out.print(f"  {number}: {line}")
    todo = [job for job in forecasts if not job.left.is_nothing]
    how = "one after another" if plan.at_once == 1 else f"{plan.at_once} at once"
    out.print(f"  {pluralize(len(forecasts), 'job')}, {len(forecasts) - len(todo)} of them finished; {how}")
    if not todo:
        return
    seconds = total_seconds(todo, plan.at_once)
    if seconds is None:
        out.print("  How long it takes is not known: no earlier run here is like them. The first that ends will show it")
    else:
        end = datetime.now().astimezone() + timedelta(seconds=seconds)
        basis = pluralize(min(job.based_on for job in todo), "earlier run")
        out.print(f"  About {duration(seconds)}, to {end:%H:%M on %d %b}, estimated from at least {basis}; other machines differ")
    sizes = [job.bytes for job in todo if job.bytes is not None]
    if sizes and store.folder is not None:
        free = shutil.disk_usage(store.folder).free
        out.print(f"  Runs take about {in_bytes(round(sum(sizes)))}, and {in_bytes(free)} are free; the cache takes up to ", end="")
        out.print(f"{common.training.cache_limit_gb:g} GB where it lies")


def _row(number: int, job: Forecast) -> tuple[str, ...]:
    """The number, name, state, frozen part and duration of a job."""
    if job.left.is_nothing:
        return str(number), job.name, "finished", "", ""
    about = "-" if job.seconds is None else duration(job.seconds)
    if job.left.trained:
        return str(number), job.name, stages_of(job.left), "", about
    frozen = job.frozen if job.with_job is None or job.frozen == "cached" else f"{job.frozen} {job.with_job + 1}"
    return str(number), job.name, "resumes" if job.resumes else "new", frozen, about
