"""Print the table: what was measured, the figure, the target, and whether it is met.

``python -m bench [SECTION[=RECORDS] ...]`` measures the sections named, or all of them, each in a
size that suits a few minutes; ``growth=5000000`` is the whole of that one.
"""

import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

SECTIONS = (
    "submission", "overload", "page", "console", "seal", "decisions", "intake", "destruction", "growth", "ledger", "recheck",
    "length", "recovery", "watch", "processes", "deidentify", "deidentify_scale", "second_release",
)  # fmt: skip
MARKS = {True: "met", False: "MISSED", None: ""}


def main() -> None:
    """Measure and print."""
    table = Table("what", "figure", "target", "")
    console = Console(width=110)
    for asked in sys.argv[1:] or SECTIONS:
        name, _, size = asked.partition("=")
        if name not in SECTIONS:
            sys.exit(f"there is no section {name}; there are {', '.join(SECTIONS)}")
        section = import_module(f"bench.{name}")
        rows = section.measure(int(size)) if size else section.measure()
        table.add_section()
        for what, shown, target, met in rows:
            table.add_row(what, shown, target, MARKS[met])
    console.print(table)


if __name__ == "__main__":
    main()
