"""The engine in a process of its own: scipy and the solver are never loaded where requests are served."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from mutualaid.matching.engine.plan import Plan
from mutualaid.matching.engine.problem import Problem


async def sweep(problem: Problem, *, processes: int = 1) -> Plan:
    """`engine.sweep.sweep` in a fresh process that ends with it, so that its memory is given back."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, _sweep, problem, processes)


def _sweep(problem: Problem, processes: int) -> Plan:
    from mutualaid.matching.engine.sweep import sweep as whole  # here and not above: it loads scipy

    return whole(problem, processes=processes)
