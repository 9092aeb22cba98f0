"""GPUs as the driver lists them: jobs get one each in turn, and too many jobs are refused. A stand-in plays the driver."""

from pathlib import Path

import pytest

from cxr.errors import UserError
from cxr.training.devices import Gpu, check_memory, deal, visible_gpus

TWO = [Gpu(0, "GPU-aa", "NVIDIA L4", 20.0), Gpu(1, "GPU-bb", "NVIDIA L4", 9.0)]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, GPU-aa, NVIDIA L4, 19073'\necho '1, GPU-bb, NVIDIA L4, [N/A]'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(("visible", "expected"), [(None, [0, 1]), ("1", [1]), ("GPU-bb,0", [1, 0]), ("", []), ("7", [])])
def test_visible_gpus_are_listed(visible: str | None, expected: list[int], driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus = visible_gpus()
    assert [gpu.index for gpu in gpus] == expected
    assert all(gpu.free_gb == pytest.approx(20.0, abs=0.01) for gpu in gpus if gpu.index == 0)


def test_no_gpu_is_listed_without_a_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []


def test_jobs_get_one_each_in_turn_and_a_single_job_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert [gpu.uuid for job in range(3) if (gpu := deal(TWO, job, 3))] == ["GPU-aa", "GPU-bb", "GPU-aa"]
    assert deal(TWO, 1, 1) is None
    assert deal([], 1, 4) is None


def test_more_jobs_than_memory_are_refused_with_how_many_fit() -> None:
    check_memory(TWO, 5)  # three on the first card, two on the second
    check_memory([], 64)
    with pytest.raises(UserError, match=r"6 jobs at once need 4 GB .* room for 5: set hydra\.launcher\.n_jobs=5"):
        check_memory(TWO, 6)
