"""Batches solved here, or in processes. A batch that ends its process is greedy; the others are solved all the same."""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from mutualaid.matching.engine import batch
from mutualaid.matching.engine.batch import Solved
from mutualaid.matching.engine.candidates import Task
from mutualaid.matching.engine.network import Flow, Network
from mutualaid.matching.engine.solver import CannotSolve, Solver


def solved(tasks: Iterator[Task], processes: int, solve_one: Solver) -> Iterator[Solved]:
    """In the order of the tasks."""
    if processes == 1:
        yield from (batch.solve(task, solve_one) for task in tasks)
        return
    left: deque[Task] = deque()  # what a broken pool was still to solve
    try:
        with _pool(processes) as pool:
            for task, future in _ahead(tasks, pool, processes, solve_one, left):
                yield future.result()
                assert left.popleft() is task
    except BrokenProcessPool:  # one of those under way ended its process: each gets one of its own, the rest a new pool
        yield from (_alone(task, solve_one) for task in left)
        yield from solved(tasks, processes, solve_one)


def _ahead(
    tasks: Iterator[Task], pool: ProcessPoolExecutor, processes: int, solve_one: Solver, left: deque[Task]
) -> Iterator[tuple[Task, Future[Solved]]]:
    """Tasks on their way, the oldest first; only so many lie ready as processes can take up."""
    under_way: deque[tuple[Task, Future[Solved]]] = deque()
    for task in tasks:
        left.append(task)
        under_way.append((task, pool.submit(batch.solve, task, solve_one)))
        if len(under_way) > 4 * processes:
            yield under_way.popleft()
    yield from under_way


def _alone(task: Task, solve_one: Solver) -> Solved:
    try:
        with _pool(1) as pool:
            return pool.submit(batch.solve, task, solve_one).result()
    except BrokenProcessPool:
        return batch.solve(task, _broken)


def _broken(network: Network) -> Flow:
    raise CannotSolve("its process ended")


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
