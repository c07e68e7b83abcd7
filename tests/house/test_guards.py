"""The guards around the tests: no socket leaves the machine, a skip is told, a long part is not run twice."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import figures
from tests.sockets import NotLoopback, is_loopback, loopback_only

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ("192.0.2.1", 9)  # TEST-NET-1 of RFC 5737: nobody's address


# ---- sockets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "localhost", b"127.0.0.1"])
def test_loopback_is_known_in_all_its_forms(host: object) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "10.0.0.1", "0.0.0.0", "::", "", "fe80::1%lo", "localhost.example", "example.org", None, 7]
)
def test_other_addresses_and_names_are_not_loopback(host: object) -> None:
    assert not is_loopback(host)


def test_a_socket_to_another_machine_is_refused() -> None:
    with loopback_only(), socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        with pytest.raises(NotLoopback):
            stream.connect(OUTSIDE)
        with pytest.raises(NotLoopback):
            stream.connect_ex(OUTSIDE)
        with pytest.raises(NotLoopback):
            stream.bind(("0.0.0.0", 0))
        with pytest.raises(NotLoopback):
            datagram.sendto(b"", OUTSIDE)
        with pytest.raises(NotLoopback):
            datagram.sendto(b"", 0, OUTSIDE)
        with pytest.raises(NotLoopback):
            socket.getaddrinfo("name.example", 80)


async def test_a_socket_to_this_machine_is_free_and_the_event_loop_is_guarded_too() -> None:
    import asyncio

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    with loopback_only():
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(
                "localhost", server.sockets[0].getsockname()[1], family=socket.AF_INET
            )
            assert await reader.read() == b"hello"
            writer.close()
            await writer.wait_closed()
        with pytest.raises(NotLoopback):
            await asyncio.open_connection(*OUTSIDE)


def test_the_guard_leaves_the_socket_class_as_it_was() -> None:
    before = (socket.socket.connect, socket.socket.sendto, socket.getaddrinfo)

    with loopback_only():
        assert socket.socket.connect is not before[0]

    assert (socket.socket.connect, socket.socket.sendto, socket.getaddrinfo) == before


# ---- skips and figures: a small test run of its own -------------------------------------------------------------


def run(folder: Path, body: str, *options: str, ci: bool = False) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(body, encoding="utf-8")
    plugins = ["-p", "tests.skips", "-p", "tests.figures", "-p", "xdist.plugin", "-p", "no:cacheprovider"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CI", "PYTEST"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", folder, *plugins, *options, folder],
        cwd=folder,
        env=environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | ({"CI": "true"} if ci else {}),
        capture_output=True,
        text=True,
        check=False,
    )


SKIPPING = "import pytest\ndef test_one(): pass\ndef test_two(): pytest.skip('no browser here')\n"


def test_a_skip_is_told_by_name_and_fails_nothing_at_home(tmp_path: Path) -> None:
    done = run(tmp_path, SKIPPING)

    assert done.returncode == 0
    assert "test_it.py::test_two: no browser here" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("1 passed, 1 skipped")


def test_a_skip_is_a_failure_in_ci(tmp_path: Path) -> None:
    done = run(tmp_path, SKIPPING, ci=True)

    assert done.returncode == 1
    assert "test_it.py::test_two: no browser here" in done.stdout


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_skipped_file_is_a_failure_in_ci_with_workers_too(tmp_path: Path, workers: str) -> None:
    body = "import pytest\npytest.skip('nothing here', allow_module_level=True)\n"
    (tmp_path / "test_other.py").write_text("def test_one(): pass\n", encoding="utf-8")

    done = run(tmp_path, body, "-n", workers, ci=True)

    assert done.returncode == 1
    assert "nothing here" in done.stdout


def test_an_ordinary_run_leaves_deep_parts_out_without_calling_it_a_skip(tmp_path: Path) -> None:
    body = "import pytest\n@pytest.mark.deep('part')\ndef test_long(): assert False\ndef test_short(): pass\n"

    done = run(tmp_path, body, ci=True)

    assert done.returncode == 0
    assert "1 passed, 1 deselected" in done.stdout


DEEP = """
import pathlib, pytest
from tests import figures
figures.FIGURES = pathlib.Path(__file__).parent / "kept"

@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.deep("part", n=3)
def test_long(figure, side):
    figure.keep(found=1)
    assert side == "a" or not pathlib.Path(__file__).with_name("fails").exists()

def test_short(): assert False
"""


def test_deep_parts_keep_their_figures_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    # given: a run of which one part fails
    (tmp_path / "fails").touch()
    first = run(tmp_path, DEEP, "--deep")
    assert first.returncode == 1
    told = json.loads((tmp_path / "kept" / "part-a.json").read_text(encoding="utf-8"))
    assert (told["asked"], told["figures"]) == ({"n": 3}, {"found": 1})
    assert not (tmp_path / "kept" / "part-b.json").exists()

    # when: the cause is gone
    (tmp_path / "fails").unlink()
    second = run(tmp_path, DEEP, "--deep")

    # then: only the other part is run; another question, or --fresh, runs both
    assert "1 passed, 2 deselected" in second.stdout
    assert "2 passed, 1 deselected" in run(tmp_path, DEEP, "--deep", "--fresh").stdout
    assert "2 passed, 1 deselected" in run(tmp_path, DEEP.replace("n=3", "n=4"), "--deep").stdout


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"asked": {"n": 2}}'])
def test_a_figure_of_another_question_or_a_broken_file_does_not_count(tmp_path: Path, text: str) -> None:
    (tmp_path / "part.json").write_text(text, encoding="utf-8")

    assert not figures.is_kept(tmp_path, "part", {"n": 3})
