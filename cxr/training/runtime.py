"""TensorFlow's set-up in this process: quiet, seeded, deterministic on request, number of threads."""

import gc
import os
import sys
from typing import Any

from cxr.config.schema import TrainingConfig
from cxr.system import cores, fair_share


def prepare_tensorflow(training: TrainingConfig, at_once: int = 1) -> None:
    """Import TensorFlow and Keras and set them up for one run; may be called again for the next run of a sweep.

    Of `at_once` runs side by side each takes its share of the cores. Threads are fixed by the first call in a process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    fresh = "tensorflow" not in sys.modules
    tf, keras = _import_quietly()
    # The same threads however many runs share the cores: how sums are shared out among threads decides their last digits.
    _limit_threads(tf, training.threads or (cores() if training.deterministic else fair_share(at_once)))
    keras.utils.clear_session()
    gc.collect()
    if fresh:
        gc.freeze()  # libraries stay; without them the collection between the runs of a sweep takes no time
    keras.utils.set_random_seed(training.seed)
    keras.config.set_dtype_policy(training.precision)
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


def _import_quietly() -> tuple[Any, Any]:
    """TensorFlow's libraries write start-up notices straight to file descriptor 2; drop them, and them only, on import."""
    if "tensorflow" in sys.modules:
        import keras
        import tensorflow as tf

        return tf, keras
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import keras
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.list_physical_devices("GPU")  # without a GPU, CUDA prints its message here and not during the run
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
    return tf, keras


def _limit_threads(tf: Any, threads: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # a sweep's earlier job started TensorFlow in this process already
        return
