"""Print the table: what was measured, the figure, and the target; all side by side in this run."""

from rich.console import Console
from rich.table import Table

from bench import submission


def main() -> None:
    """Measure and print."""
    table = Table("what", "figure", "target")
    for row in submission.measure():
        table.add_row(*row)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
