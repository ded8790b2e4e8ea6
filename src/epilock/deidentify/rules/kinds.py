"""All kinds of rules by the name that a configuration gives them."""

from epilock.deidentify.rules.address import Address
from epilock.deidentify.rules.area_code import AreaCode
from epilock.deidentify.rules.day import Day
from epilock.deidentify.rules.number import Age, Coding, Interval, Rounding
from epilock.deidentify.rules.order import Order
from epilock.deidentify.rules.prefix import Phone, Postcode, Prefix
from epilock.deidentify.rules.rule import Rule

KINDS: dict[str, type[Rule]] = {
    rule.kind: rule
    for rule in (
        Interval, Coding, Rounding, Age, Day, AreaCode, Address, Phone, Postcode, Prefix, Order,
    )
}  # fmt: skip
