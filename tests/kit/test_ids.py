"""Ids: random, opaque, and of one moment next to each other."""

import os
import time
from collections.abc import Callable

import pytest

from mutualaid.kit.ids import new_id, row_id


@pytest.mark.parametrize(("make", "digits"), [(new_id, 32), (row_id, 8 + 32)])
def test_an_id_has_128_random_bits_in_lower_case(make: Callable[[], str], digits: int) -> None:
    ids = [make() for _ in range(1000)]

    assert len({one[-32:] for one in ids}) == 1000
    assert all(len(one) == digits and set(one) <= set("0123456789abcdef") for one in ids)


def test_rows_of_one_moment_lie_together() -> None:
    before, ids, after = row_id(), {row_id() for _ in range(100)}, row_id()

    begun, ended = int(before[:8], 16), int(after[:8], 16)
    assert {int(one[:8], 16) for one in ids} <= {begun + n for n in range((ended - begun) % (1 << 32) + 1)}
    assert abs(begun - int(time.time() * 4) % (1 << 32)) < 400, "in quarters of a second"


def test_a_process_that_forks_draws_other_digits_than_its_child() -> None:
    row_id()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, row_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)

    assert len(theirs) == 40 and theirs[8:] not in {row_id()[8:] for _ in range(200)}
