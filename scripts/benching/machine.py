"""What the figures were measured on."""

import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

_PACKAGES: Final = ("starlette", "uvicorn", "sqlalchemy", "pydantic", "fastapi")
MATCHING: Final = ("numpy", "scipy", "pylmcf", "ortools", "networkx")
_SYNCED: Final = 50


def about(folder: Path, packages: Sequence[str] = _PACKAGES) -> dict[str, Any]:
    """Cores, versions, what syncing to the folder's disk costs, and how busy the machine is with other things."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "fdatasync_us": _sync_us(folder),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    } | {name: version(name) for name in packages}


async def postgresql(server: str) -> str:
    """Which one answers there."""
    engine = create_async_engine(server)
    async with engine.connect() as connection:
        found = await connection.scalar(text("SELECT current_setting('server_version')"))
    await engine.dispose()
    return str(found)


def _sync_us(folder: Path) -> int:
    """Microseconds, the median."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCED):
            file.write(b"\0" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno()) if hasattr(os, "fdatasync") else os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    return round(median(took) * 1e6)
