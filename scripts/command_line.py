"""Write docs/command-line.md from the commands themselves: their help, arguments and options.

python scripts/command_line.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from cropworth.cli import app

PATH = Path(__file__).parents[1] / "docs" / "command-line.md"
HEAD = """# The command line

Every command, as `cropworth COMMAND --help` tells it. Bad input gives one message and exit status 2, and leaves nothing
half-written; a study that is interrupted exits with 130 and keeps what has finished. What the commands are for:
[ten minutes](ten-minutes.md).
"""


def page() -> str:
    """The whole page as Markdown."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    commands = {name: command for name, command in group.commands.items() if isinstance(command, TyperCommand)}
    return "\n".join([HEAD, *(_section(name, command) for name, command in commands.items())])


def _section(name: str, command: TyperCommand) -> str:
    arguments = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
    options = [p for p in command.params if isinstance(p, TyperOption) and p.name != "help"]
    words = [f"cropworth {name}", *map(_word, arguments), *(f"{p.opts[0]} ..." for p in options if p.required)]
    rows = [f"| `{_name(p)}` | {_linked(p.help)} |" for p in arguments]
    rows += [f"| {_names(p)} | {' '.join(_told(p))} |" for p in options]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([f"## {name}", "", f"`{' '.join(words)}`", "", _linked(command.help), "", *table])


def _name(argument: TyperArgument) -> str:
    return str(argument.name).upper()


def _word(argument: TyperArgument) -> str:
    name = _name(argument) + "..." * (argument.nargs == -1)
    return name if argument.required else f"[{name}]"


def _names(option: TyperOption) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _told(option: TyperOption) -> Iterator[str]:
    yield _linked(option.help)
    if option.required:
        yield "Required."
    elif option.default is not None and not isinstance(option.default, bool) and not callable(option.default):
        yield f"By default `{option.default}`."


def _linked(text: str | None) -> str:
    """One line, in which files of the docs are links."""
    line = " ".join((text or "").split()).replace("|", "\\|")
    return re.sub(r"docs/([\w.-]+\.(?:md|json))", r"[\1](\1)", line)


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
