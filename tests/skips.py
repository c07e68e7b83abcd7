"""pytest plugin: a skip is told loudly, by name, and with CI=true it is a failure."""

import os

import pytest


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def _skipped(reporter: pytest.TerminalReporter) -> list[tuple[str, str]]:
    """(test, reason) of every skipped test; expected failures are no skips."""
    found = []
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        found.append((report.nodeid, reason.removeprefix("Skipped: ")))
    return sorted(found)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    # The reporter is absent in xdist's workers; the first process decides for all.
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        reporter is not None
        and is_ci()
        and _skipped(reporter)
        and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = _skipped(terminalreporter)
    if not skipped:
        return
    terminalreporter.section(
        "SKIPPED" + (": with CI=true a failure" if is_ci() else ""), red=is_ci(), yellow=not is_ci()
    )
    for name, reason in skipped:
        terminalreporter.line(f"{name}: {reason}", red=is_ci(), yellow=not is_ci())
