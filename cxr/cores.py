"""How many cores this process may use, and its share of them beside others."""

import os


def cores() -> int:
    """Cores that the system lets this process run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fair_share(at_once: int) -> int:
    """Threads for one of so many jobs that run side by side: together they take each core about once."""
    return max(1, cores() // at_once)
