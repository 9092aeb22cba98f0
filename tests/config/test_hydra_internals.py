"""Parts of Hydra that are not public, as cxr/config uses them: a version of Hydra that changes them fails here."""

from inspect import signature

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.core.utils import run_job

from cxr.config.launched import returned


def test_sweeper_splits_arguments_into_one_batch_of_jobs() -> None:
    parsed = OverridesParser.create().parse_overrides(["loss=plain,focal", "freeze=head"])
    assert BasicSweeper.split_arguments(parsed, None) == [[["loss=plain", "freeze=head"], ["loss=focal", "freeze=head"]]]


def test_parser_separates_overrides_from_flags() -> None:
    assert get_args_parser().parse_args(["--cfg", "job", "loss=plain", "freeze=head"]).overrides == ["loss=plain", "freeze=head"]


def test_job_in_another_process_can_be_run_and_returned() -> None:
    expected = {"hydra_context", "task_function", "config", "job_dir_key", "job_subdir_key"}
    assert expected <= set(signature(run_job).parameters)
    ConfigStore.instance().store("internals", {"a": 1})
    Singleton.set_state(Singleton.get_state())
    assert "internals.yaml" in ConfigStore.instance().repo
    assert returned(["loss=plain"], 0.5).return_value == 0.5
