"""Real instances for the tests: a process that serves and works, on data that is migrated and seeded already."""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import instance

from tests.servers import end_with_parent


@contextmanager
def an_instance(
    template: Path, folder: Path, *, command: Sequence[str] = instance.COMMAND, directory: Path | None = None
) -> Iterator[instance.Instance]:
    """One that lasts as long as the block, with a copy of the template's database and keys under `folder`.

    template: the fixture `template_data`, after `sqlite_template` has filled it.
    """
    data = folder / f"data-{uuid.uuid4().hex[:8]}"
    shutil.copytree(template, data, copy_function=shutil.copy2)
    with instance.running(data, command=command, directory=directory, in_child=end_with_parent()) as running:
        yield running
