"""Every job that anybody writes has somebody who does it, and the table names nothing that nobody writes."""

import ast
import re
from pathlib import Path

import pytest

from mutualaid import handlers

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef
NAME = re.compile(r"[a-z_]+\.[a-z_]+")


class Source:
    """One module, and the functions in it."""

    def __init__(self, path: Path) -> None:
        self.where = str(path.relative_to(path.parents[1] if path.parent.name == "planted" else ROOT))
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.constants = {
            name.id: line.value.value
            for line in self.tree.body
            if isinstance(line, ast.Assign | ast.AnnAssign) and isinstance(line.value, ast.Constant)
            for name in (line.targets if isinstance(line, ast.Assign) else [line.target])
            if isinstance(name, ast.Name) and isinstance(line.value.value, str)
        }
        self.called: dict[str, list[tuple[Function | None, ast.Call]]] = {}
        self._look(self.tree, None)

    def _look(self, node: ast.AST, inside: Function | None) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call):
                name = getattr(child.func, "attr", getattr(child.func, "id", ""))
                self.called.setdefault(name, []).append((inside, child))
            self._look(child, child if isinstance(child, Function) else inside)

    def calls(self, name: str) -> list[tuple[Function | None, ast.Call]]:
        """Calls of a function of that name, each with the function it stands in."""
        return self.called.get(name, [])


def names(sources: list[Source], function: str = "enqueue", place: int = 1) -> dict[str, str]:
    """Job name → where it is written. A name that is no literal is looked for where it comes from."""
    found: dict[str, str] = {}
    for source in sources:
        for inside, call in source.calls(function):
            where = f"{source.where}:{call.lineno}"
            said = call.args[place]
            if isinstance(said, ast.Constant):
                literal = [str(said.value)]
            elif isinstance(said, ast.Name) and said.id in source.constants:
                literal = [source.constants[said.id]]
            elif isinstance(said, ast.Name) and inside and said.id in [a.arg for a in inside.args.args]:
                at = [a.arg for a in inside.args.args].index(said.id)
                literal = list(names(sources, inside.name, at))
            else:
                assert inside is not None, f"{where}: a job's name is put together outside of a function"
                constants = [node.value for node in ast.walk(inside) if isinstance(node, ast.Constant)]
                literal = [text for text in constants if isinstance(text, str) and NAME.fullmatch(text)]
            assert literal, f"{where}: where does this job's name come from?"
            found.update(dict.fromkeys(literal, where))
    return found


def written_by(sources: list[Source]) -> dict[str, str]:
    """The same of both ways to write one: in a session, and as a row among others."""
    return names(sources) | names(sources, "job", 0)


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return [Source(path) for path in sorted((ROOT / "mutualaid").rglob("*.py")) if path.name != "outbox.py"]


def test_every_job_that_is_written_has_a_handler(sources: list[Source]) -> None:
    written = written_by(sources)

    assert len(written) > 20
    assert {name: where for name, where in written.items() if name not in handlers.JOBS} == {}


def test_no_handler_waits_for_a_job_that_nobody_writes(sources: list[Source]) -> None:
    assert set(handlers.JOBS) - set(written_by(sources)) == set()


def test_every_job_is_done_by_somebody() -> None:
    assert [name for name, done_by in handlers.JOBS.items() if not done_by] == []


def test_a_jobs_name_says_what_and_what_happened() -> None:
    assert [name for name in handlers.JOBS if not NAME.fullmatch(name)] == []


@pytest.mark.parametrize(
    "planted",
    [
        'async def f(s): await outbox.enqueue(s, "post.forgotten", {}, at=1)',
        'LOST = "post.forgotten"\nasync def f(s): await enqueue(s, LOST, {}, at=1)',
        'async def f(s, late):\n    n = "post.forgotten" if late else "post.ended"\n    await enqueue(s, n, {}, at=1)',
        'async def hand_on(s, n): await enqueue(s, n, {}, at=1)\nasync def g(s): await hand_on(s, "post.forgotten")',
    ],
)
def test_a_planted_job_without_a_handler_is_found(sources: list[Source], tmp_path: Path, planted: str) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "module.py").write_text(planted, encoding="utf-8")

    written = written_by([*sources, Source(tmp_path / "planted" / "module.py")])

    assert [name for name in written if name not in handlers.JOBS] == ["post.forgotten"]
    assert written["post.forgotten"].startswith("planted/module.py:")
