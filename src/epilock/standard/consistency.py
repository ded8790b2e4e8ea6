"""Consistency: what the rows of a standard must say together, after each was read alone.

Rules kept in this file:
  1. Nothing is passed off as read in its source: a row that rests on an unverified source is unverified.
  2. Each purpose of a circumstance reaches somebody: one of its ranges, not reserved for another purpose.
  3. A range that needs a purpose is one of the circumstance's, and so is the purpose.
  4. What a third party holds needs range R6, and is never of a grade that its medium may not hold.
  5. Paper as a method needs paper as a medium, and the other way round.
"""

from collections.abc import Iterable, Mapping

from epilock.standard.files import DataFile
from epilock.standard.model import Category, Circumstance, Named, Purpose, Source

PROCESSOR = "R6"  # a third party under an agreement (PIPL 21)


def check_verified(
    file: DataFile,
    table: str,
    source: Iterable[str],
    sources: Mapping[str, Source],
    *,
    verified: bool,
    key: str = "source",
) -> None:
    """Return if a row that claims to be verified rests on verified sources alone (rule 1).

    Raises:
        StandardFileError: It does not; the message names the source.
    """
    unread = [code for code in source if not sources[code].verified]
    if verified and unread:
        raise file.fail(
            table, key, f"rests on {unread[0]}, which is unverified: needs verified = false"
        )


def check_circumstance(
    file: DataFile,
    where: Circumstance,
    *,
    categories: Mapping[str, Category],
    purposes: Mapping[str, Purpose],
    media: Mapping[str, Named],
) -> None:
    """Return if the parts of a circumstance fit together (rules 2 to 5).

    Raises:
        StandardFileError: They do not; the message names file, line and reason.
    """
    _check_reach(file, where, purposes)
    _check_media(file, where, categories, media)
    if ("paper" in where.methods) != ("paper" in where.media):
        raise file.fail(
            where.code, "methods", "paper must be both a method and a medium, or neither"
        )


def _check_reach(file: DataFile, where: Circumstance, purposes: Mapping[str, Purpose]) -> None:
    for range_, purpose in where.range_needs.items():
        if range_ not in where.ranges or purpose not in where.purposes:
            raise file.fail(
                where.code, "range_needs", f"range_needs: {range_} or {purpose} is not of this circumstance"
            )  # fmt: skip
    for code in where.purposes:
        reached = [
            r for r in purposes[code].ranges
            if r in where.ranges and where.range_needs.get(r, code) == code
        ]  # fmt: skip
        if not reached:
            raise file.fail(where.code, "purposes", f"purposes: nobody here may have it for {code}")


def _check_media(
    file: DataFile,
    where: Circumstance,
    categories: Mapping[str, Category],
    media: Mapping[str, Named],
) -> None:
    if "third-party" in where.media and PROCESSOR not in where.ranges:
        raise file.fail(where.code, "media", f"media: a third party needs range {PROCESSOR}")
    for medium, only in where.media_only.items():
        highest = media[medium].facts.get("grade", 0)
        for code in only:
            if code not in where.allows:
                raise file.fail(where.code, "media_only", f"media_only: {code} is not asked here")
            if not isinstance(highest, int) or categories[code].grade > highest:
                raise file.fail(
                    where.code, "media_only", f"media_only: {medium} may not hold {code} of grade "
                    f"{categories[code].grade}",
                )  # fmt: skip
