"""pytest plugin: a failure is told by name as soon as it is known, so that a run that is cut off has said what it saw."""

import pytest

_MOST = 400  # characters


class Told:
    """Lives where the terminal is: with xdist that is the first process, to which all others report."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = str(crash.message if crash is not None else report.longreprtext)[:_MOST]
            self._terminal.ensure_newline()
            self._terminal.write_line(f"{report.when} of {report.nodeid}: {said}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Told(terminal), "told")
