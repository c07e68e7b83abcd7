"""The demo fills a running instance with a city in which nothing was promised twice."""

import re
import subprocess
import sys
from pathlib import Path

from instance import Instance

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^│ (.+?) +│ +(\d+) +│$", re.MULTILINE)


def test_the_demo_ends_with_a_city_where_nothing_was_promised_twice(instance: Instance) -> None:
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "scripts" / "demo.py",
            "--url",
            instance.url,
            "--members",
            "12",
            "--posts",
            "40",
            "--short",
            "0",
        ],
        capture_output=True,
        text=True,
        timeout=180,
        env=instance.environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    city = {name: int(number) for name, number in ROW.findall(done.stdout)}
    assert city["over-allotted lines"] == 0 and city["leases on ended posts"] == 0
    assert city["members"] == 16 and city["posted"] >= 36
    assert city["proposed or pledged"] > 0 and city["numbers issued"] > 0
    for login in ("13800000001", "13800000002", "13800000003", "13800000004"):
        assert login in done.stdout


def test_without_an_instance_the_demo_says_what_to_do_first(instance: Instance) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", "--url", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        timeout=30,
        env=instance.environment,
        check=False,
    )

    assert done.returncode == 2 and "scripts/run" in done.stdout
