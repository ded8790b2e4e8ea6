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
    log,
    mine,
    opening,
    oversight,
    paper,
    point,
    record,
    request,
    seen,
    setting,
    witness,
)

ROUTERS = tuple(
    module.router
    for module in (
        door, home, mine, opening, point, intake, record, aggregate, request, grant, approval,
        destruction, level, seen, oversight, log, witness, account, paper,
        setting,
    )
)  # fmt: skip
