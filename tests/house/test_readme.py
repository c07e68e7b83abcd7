"""The README is true: its tour, pasted into a shell, says what its prose promises."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from instance import Instance

ROOT = Path(__file__).resolve().parents[2]
TOUR = re.compile(r"<!-- tour -->(.*)<!-- /tour -->", re.DOTALL)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"""(?:\]\(|src=")([^)#"]+)""")


def _tour() -> str:
    told = TOUR.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert told is not None, "README.md has no tour"
    return "".join(SHELL.findall(told[1]))


def _paste(tour: str, instance: Instance) -> list[str]:
    """What a bash prints that reads the tour line by line, as a terminal gives it."""
    python = Path(sys.executable).parent
    pasted = subprocess.run(
        ["bash"],
        input=tour,
        capture_output=True,
        text=True,
        timeout=120,
        env=instance.environment | {"API": f"{instance.url}/api/v1", "PATH": f"{python}:{os.environ['PATH']}"},
        check=False,
    )
    assert pasted.returncode == 0 and pasted.stderr == "", pasted.stderr + pasted.stdout
    return pasted.stdout.splitlines()


@pytest.mark.parametrize("time", ["first", "second"])  # who pastes it twice meets other people
def test_the_tour_works_as_pasted(instance: Instance, time: str) -> None:
    if missing := [name for name in ("bash", "curl") if shutil.which(name) is None]:
        pytest.skip(f"the tour needs {', '.join(missing)}")

    said = _paste(_tour(), instance)

    plaza, mother, neighbour, her_call, stranger, handed_over, her_post, late_call, his_post = said
    assert plaza.startswith("布洛芬")
    assert (mother, neighbour) == ("accepted", "agreed")
    assert json.loads(her_call)["decision"] == "connect"
    assert json.loads(stranger) == {"decision": "refuse", "code": "not_a_party"}
    assert (handed_over, her_post, his_post) == ("completed", "resolved", "resolved")
    assert json.loads(late_call)["decision"] == "refuse"


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_what_a_readme_points_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    places = [place for place in LINK.findall(text) if "://" not in place]
    commands = re.findall(r"\bscripts/[a-z-]+", text)

    assert places and commands
    assert [place for place in (*places, *commands) if not (ROOT / place).exists()] == []
