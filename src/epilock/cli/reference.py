"""The reference page of the commands, made from the program so that it is never wrong.

``python -m epilock.cli.reference > docs/reference/cli.md`` writes it anew.
"""

from collections.abc import Iterator
from typing import Any

import typer

from epilock.cli.app import app

HEAD = """# Commands

Made from the program by `python -m epilock.cli.reference`; a test compares.

Exit codes: 0 done; 1 the answer is no (refused, overdue, not shown); 2 what was given is wrong, or the machine failed, so that there is no answer; 3 what was given is not authentic; 4 too few witnesses stand behind it.
What went wrong is one line on standard error.

Wherever a command takes `--home`, the folder may be given by `EPILOCK_HOME` instead, and [settings](settings.md) say the rest.
Wherever it takes `--now`, it acts at that instant instead of at the machine's.
`--as` asks for a password and the digits of the second factor; where standard input is no terminal, each is one line of it.
Who may do what: [roles](roles.md).
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(_section(*each) for each in commands())])


def commands() -> Iterator[tuple[str, Any]]:
    """Yield the words and the description of every command, in the program's order."""
    yield from _below(typer.main.get_command(app), "epilock")


def _below(found: Any, words: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(found, "commands"):
        yield words, found
        return
    for name, each in found.commands.items():
        yield from _below(each, f"{words} {name}")


def _section(words: str, command: Any) -> str:
    told = [p for p in command.params if p.name != "help"]
    arguments = [_argument(p) for p in told if not _is_option(p)]
    lines = [f"## {words}", "", *(line.strip() for line in command.help.strip().splitlines()), ""]
    lines += [f"`{' '.join([words, *arguments])}`", ""]
    if told:
        lines += ["| | | |", "|---|---|---|", *map(_row, told), ""]
    return "\n".join(lines)


def _is_option(parameter: Any) -> bool:
    return str(parameter.opts[0]).startswith("-")


def _argument(parameter: Any) -> str:
    name = str(getattr(parameter, "metavar", None) or parameter.name.upper().rstrip("_"))
    if parameter.nargs == -1:
        name += "…"
    return name if parameter.required else f"[{name}]"


def _row(parameter: Any) -> str:
    name = "`, `".join([*parameter.opts, *parameter.secondary_opts])
    name = name if _is_option(parameter) else _argument(parameter)
    text = (parameter.help or "").replace("|", "\\|")
    return f"| `{name}` | {'required' if parameter.required else _default(parameter)} | {text} |"


def _default(parameter: Any) -> str:
    default = getattr(parameter, "default", None)
    if default is None or default == "" or isinstance(default, bool) or callable(default):
        return ""
    return f"`{getattr(default, 'value', default)}`"


if __name__ == "__main__":
    print(page(), end="")
