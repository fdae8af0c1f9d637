"""Ids that are numbers, as most venues write them: each kind counts on from a number of its own."""

from typing import ClassVar

from venue_sim.account import Origin


class NumberedIdentifiers:
    """`Identifiers` of a venue that says where each kind begins; its name is not in them."""

    orders_from: ClassVar[int]
    fills_from: ClassVar[int]
    payments_from: ClassVar[int | None] = None
    """None where a settlement of funding has no id."""

    def __init__(self, venue: str) -> None:
        del venue

    def order(self, number: int) -> str:
        return str(self.orders_from + number)

    def fill(self, number: int) -> str:
        return str(self.fills_from + number)

    def payment(self, number: int) -> str:
        return "" if self.payments_from is None else str(self.payments_from + number)

    def foreign_client_id(self, origin: Origin, number: int) -> str:
        return ""
