"""The built wheel serves the same pages without the checkout."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from instance import COMMAND, Instance, running

from tests.servers import end_with_parent

ROOT = Path(__file__).resolve().parents[2]
NONCE = re.compile(r"nonce[-=]\"?[\w-]+")
ADDRESS = re.compile(r"/static/[^\"\s]+")
PATHS = ("/", "/posts", "/api/docs", "/api/openapi.json", "/api/v1/items?q=布洛芬", "/api/v1/regions?parent=450000")


def _export(into: Path) -> Path:
    """What git knows of the checkout, and nothing else: a file that nobody added is not in a clone either."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    asked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip("the wheel is built from what git knows, and this is no clone")
    for name in filter(None, asked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, into / name)
    return into


def _installed(wheel: Path, home: Path) -> Path:
    """A new environment with the wheel; the libraries are the tests' own, the checkout is not among them."""
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index"]
    quick: list[str | Path] = [uv or "uv", "pip", "install", "--offline", "--no-cache", "--python", python]
    _run(*(quick if uv else pip), "--no-deps", wheel)
    site = sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)})
    (Path(site) / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return home


def _run(*command: str | Path, directory: Path | None = None) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The wheel's own command, started from nothing and from elsewhere."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "elsewhere").mkdir()
    source = _export(folder / "source")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist", directory=source)
    (wheel,) = (folder / "dist").glob("*.whl")
    shutil.rmtree(source)
    home = _installed(wheel, folder / "home")
    found = _run(home / "bin" / "python", "-c", "import mutualaid; print(mutualaid.__file__)", directory=folder)
    assert Path(found).is_relative_to(home)
    with running(
        folder / "data",
        command=[str(home / "bin" / "mutualaid")],
        directory=folder / "elsewhere",
        in_child=end_with_parent(),
    ) as instance:
        yield instance


def _same(answer: httpx2.Response, at: Instance) -> tuple[int, str, str, str]:
    """What two instances of one version have in common."""
    policy = NONCE.sub("nonce", answer.headers.get("content-security-policy", ""))
    body = NONCE.sub("nonce", answer.text).replace(at.url, "")
    return answer.status_code, answer.headers["content-type"], policy, body


def test_the_wheel_serves_what_the_checkout_serves(packed: Instance, instance: Instance) -> None:
    with ExitStack() as open_:
        ours, theirs = (open_.enter_context(httpx2.Client(base_url=at.url)) for at in (instance, packed))
        statics = ADDRESS.findall(ours.get("/").text)
        assert len(statics) >= 3

        for path in (*PATHS, *statics):
            here, there = ours.get(path), theirs.get(path)
            assert here.status_code == 200, path
            assert _same(there, packed) == _same(here, instance), path
        landing = theirs.get("/", headers={"accept-language": "zh-CN"}).text
        assert "我需要药" in landing and "我有多的药" in landing


def test_the_checkout_serves_from_the_checkout(instance: Instance) -> None:
    found = _run(COMMAND[0], "-c", "import mutualaid; print(mutualaid.__file__)", directory=instance.data)

    assert Path(found).is_relative_to(ROOT)
