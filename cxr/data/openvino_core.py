"""OpenVINO, imported without the package that would send telemetry at each import."""

import sys
from types import ModuleType
from typing import Any, cast


def openvino_core() -> Any:
    """OpenVINO's core."""
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = cast(ModuleType, None)  # as if it were not installed
    from openvino import Core

    return Core()
