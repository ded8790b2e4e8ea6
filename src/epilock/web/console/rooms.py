"""All pages of the console, in the order in which their addresses are matched."""

from epilock.web.console import (
    account,
    aggregate,
    approval,
    destruction,
    door,
    grant,
    home,
    intake,
    level,
    mine,
    offline,
    opening,
    oversight,
    paper,
    point,
    record,
    request,
    sheet,
    witness,
)

ROUTERS = tuple(
    module.router
    for module in (
        door, home, mine, opening, point, offline, sheet, intake, record, aggregate, request, grant, approval,
        destruction, level, oversight, witness, account, paper,
    )
)  # fmt: skip
