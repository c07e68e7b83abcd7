"""How much memory is still free for what can be done without."""

from pathlib import Path
from typing import Final

_OF_SYSTEM: Final = Path("/proc/meminfo")
_OF_GROUP: Final = Path("/sys/fs/cgroup")


def free_octets() -> int | None:
    """What the machine, or the group of processes we are bound to, still has; None where neither tells."""
    told = [found for found in (_of_system(), _of_group()) if found is not None]
    return min(told) if told else None


def _of_system() -> int | None:
    try:
        lines = _OF_SYSTEM.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _of_group() -> int | None:
    try:
        most, now = ((_OF_GROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
    except OSError:
        return None
    return int(most) - int(now) if most != "max" else None
