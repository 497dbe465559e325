"""The command line, run in this process."""

import sys

import pytest

from cropworth import terminal
from cropworth.cli import main


class Run:
    """Called with a command's arguments, gives exit status, output and errors."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["cropworth", *map(str, arguments)])
        self._monkeypatch.setenv("COLUMNS", "200")
        self._monkeypatch.setattr(terminal.out, "width", 200)  # made when it was imported, perhaps for another terminal
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err
