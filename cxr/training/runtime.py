"""TensorFlow's set-up in this process: quiet, seeded, deterministic on request, number of threads."""

import gc
import os
import re
import subprocess
import sys
from contextlib import suppress
from tempfile import TemporaryFile
from typing import Any

from cxr.config.schema import TrainingConfig
from cxr.system import cores, fair_share
from cxr.training.devices import Gpu, deal, visible_gpus


def prepare_tensorflow(training: TrainingConfig, at_once: int = 1, job: int = 0) -> None:
    """Import TensorFlow and Keras and set them up for one run; may be called again for the next run of a sweep.

    Of `at_once` runs side by side each takes its share of the cores, and one GPU, in turn by the number of the job. Threads and GPU
    are fixed by the first call in a process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    fresh = "tensorflow" not in sys.modules
    gpus = visible_gpus() if fresh else []
    deal(gpus, job, at_once)
    tf, keras, notices = _import_quietly()
    if fresh:
        _prepare_gpus(tf, gpus, notices)
    # The same threads however many runs share the cores: how sums are shared out among threads decides their last digits.
    threads = training.threads or (cores() if training.deterministic else fair_share(at_once))
    with suppress(RuntimeError):  # a sweep's earlier job started TensorFlow in this process already
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    if not fresh:
        keras.utils.clear_session()  # and collects what the run before has left
    gc.freeze()  # libraries stay; without them the collection between the runs of a sweep takes no time
    keras.utils.set_random_seed(training.seed)
    keras.config.set_dtype_policy(training.precision)
    tf.config.experimental.enable_tensor_float_32_execution(False)  # on a GPU it would keep 10 bits of float32's 23
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    else:
        # An earlier run of this process may have enabled it; to disable it has no public name.
        from tensorflow.python.framework.config import disable_op_determinism

        disable_op_determinism()


def compute() -> dict[str, Any]:
    """The threads and GPUs of TensorFlow in this process. It has to be prepared."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return {"threads": tf.config.threading.get_intra_op_parallelism_threads(), "gpus": names}


def _prepare_gpus(tf: Any, gpus: list[Gpu], notices: str) -> None:
    """Let GPU memory grow as it is needed; where a card is there and TensorFlow can't use it, print why."""
    usable = tf.config.list_physical_devices("GPU")
    for gpu in usable:
        tf.config.experimental.set_memory_growth(gpu, True)
    if gpus and not usable:
        names = ", ".join(gpu.name for gpu in gpus)
        reason = cuda_reason(notices + _all_notices())
        print(f"cxr: TensorFlow can't use the GPU ({names}), so the CPU trains: {reason}", file=sys.stderr)


def cuda_reason(notices: str) -> str:
    """Why TensorFlow can't use a GPU, in a line of its start-up notices: the libraries that it lacks, or all that names CUDA.

    >>> cuda_reason("I0000 00:00:1 dso_loader.cc:144] Could not load dynamic library 'libcufft.so.11'; dlerror: no such file")
    "it lacks libcufft.so.11; pip install 'tensorflow[and-cuda]' brings CUDA's libraries"
    >>> cuda_reason("W0000 00:00:1 gpu_device.cc:2342] Skipping registering GPU devices...")
    'Skipping registering GPU devices...'
    """
    brings = "pip install 'tensorflow[and-cuda]' brings CUDA's libraries"
    if lacking := re.findall(r"Could not load dynamic library '([\w.-]+)'", notices):
        return f"it lacks {', '.join(dict.fromkeys(lacking))}; {brings}"
    lines = [line.partition("] ")[2] or line for line in notices.splitlines() if re.search("cuda|gpu|cudnn", line, re.IGNORECASE)]
    return " / ".join(dict.fromkeys(lines))[:400] or f"it says nothing of CUDA; {brings}"


def _all_notices() -> str:
    """What TensorFlow writes when it looks for GPUs, in a process of its own: this one has its shorter notices already."""
    code = "import tensorflow as tf; tf.config.list_physical_devices('GPU')"
    try:
        process = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "dso_loader=1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return process.stderr


def _import_quietly() -> tuple[Any, Any, str]:
    """TensorFlow's libraries write start-up notices straight to file descriptor 2: import them, and return what they wrote."""
    if "tensorflow" in sys.modules:
        import keras
        import tensorflow as tf

        return tf, keras, ""
    sys.stderr.flush()
    with TemporaryFile() as notices:
        kept = os.dup(2)
        os.dup2(notices.fileno(), 2)
        try:
            import keras
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
            tf.config.list_physical_devices("GPU")  # without a GPU, CUDA prints its message here and not during the run
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        notices.seek(0)
        return tf, keras, notices.read().decode("utf-8", "replace")
