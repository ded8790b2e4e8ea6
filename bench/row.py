"""Rows of the table: what was measured, the figure, the target, and whether it is met."""

from typing import NamedTuple


class Row(NamedTuple):
    """One line.

    Attributes:
        what: What was measured, with its unit.
        figure: The figure, as shown.
        target: Such as ``>= 4``; "" if the row only shows what a ratio is made of.
        met: Whether the figure meets it; None if there is no target, or nothing was measured.
    """

    what: str
    figure: str
    target: str = ""
    met: bool | None = None


def figure(what: str, value: float, digits: int = 0) -> Row:
    """Return a row without a target."""
    return Row(what, f"{value:,.{digits}f}")


def at_least(what: str, value: float, least: float, digits: int = 2) -> Row:
    """Return a row that is met from ``least`` on."""
    return Row(what, f"{value:,.{digits}f}", f">= {least:,g}", value >= least)


def at_most(what: str, value: float, most: float, digits: int = 2) -> Row:
    """Return a row that is met up to ``most``."""
    return Row(what, f"{value:,.{digits}f}", f"<= {most:,g}", value <= most)


def below(what: str, value: float, limit: float, digits: int = 0) -> Row:
    """Return a row that is met below ``limit``."""
    return Row(what, f"{value:,.{digits}f}", f"< {limit:,g}", value < limit)


def missing(what: str, why: str) -> Row:
    """Return a row for what this machine cannot measure."""
    return Row(what, why)
