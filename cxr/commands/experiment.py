"""`cxr [OVERRIDES]`: one run, or with -m a sweep of runs. The config is checked before anything slow is imported."""

import os

from omegaconf import DictConfig

from cxr.config.compose import compose_and_call, given_overrides, provenance_of, typed
from cxr.sweep.plan import make_plan

# Flags with which Hydra prints something instead of running jobs.
_PRINTING = {"--cfg", "-c", "--info", "-i", "--shell-completion", "-sc", "--hydra-help"}


def main(arguments: list[str]) -> int:
    """Do one run, or a sweep; returns the exit code. Errors of a single run pass through."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra passes its errors on instead of printing and exiting
    has_flag = bool({"-m", "--multirun"} & set(arguments))
    names_search = any(argument.startswith(("hparams_search=", "hydra.mode=")) for argument in arguments)
    return _sweep() if (has_flag or names_search) and not _PRINTING & set(arguments) else _run()


def _run() -> int:
    failures: list[Exception] = []

    def job(composed: DictConfig) -> None:
        try:
            config, provenance = typed(composed), provenance_of(composed)
            from cxr.run.start import run_experiment  # imports pandas and scikit-learn

            run_experiment(config, provenance)
        except Exception as error:  # Hydra would print it its own way
            failures.append(error)

    compose_and_call(job)
    for failure in failures:
        raise failure
    return 0


def _sweep() -> int:
    plan, common, jobs = make_plan(given_overrides())
    from cxr.sweep.run import run_sweep  # imports pandas and scikit-learn

    return run_sweep(plan, common, jobs)
