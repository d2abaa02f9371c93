"""Bugs in amounts of money, and in the months that they are counted by."""

from typing import Final

from tests.mutants.mutation import Mutation

_TYPES = "tests/unit/contracts/test_types.py"
_WALLET = "tests/unit/purchases/test_wallet.py"
_USAGE = "tests/unit/analytics/test_usage.py"

MUTATIONS: Final = (
    Mutation(
        "money-through-a-float",
        "shared/contracts/types.py",
        "    amount = Decimal(text)\n",
        "    amount = Decimal(str(float(text)))\n",
        "Digits of large amounts are lost on the way in.",
        (f"{_TYPES}::test_money_in_a_string_keeps_every_digit",),
    ),
    Mutation(
        "inexact-number-taken",
        "shared/contracts/types.py",
        "_EXACT_FLOAT_DIGITS = 15",
        "_EXACT_FLOAT_DIGITS = 17",
        "A publisher's 0.30000000000000004 is booked as it is.",
        (f"{_TYPES}::test_what_is_no_money",),
    ),
    Mutation(
        "negative-price",
        "shared/contracts/types.py",
        "if amount < 0:",
        "if amount < -1:",
        "A product that is paid for by whoever sells it.",
        (f"{_TYPES}::test_a_price_is_not_negative",),
    ),
    Mutation(
        "money-rounded",
        "shared/folds/purchase.py",
        'return f"{amount:f}"',
        'return f"{amount:.2f}"',
        "Amounts with more than two decimals are shown as others than were booked.",
        (f"{_WALLET}::test_no_digit_of_a_balance_is_lost",),
    ),
    Mutation(
        "currencies-added-up",
        "shared/folds/wallet.py",
        'block["sums"].get(last["currency"], Decimal(0)) for block',
        'sum(block["sums"].values(), Decimal(0)) for block',
        "A whole ledger in two currencies is said not to add up.",
        (f"{_WALLET}::test_each_currency_adds_up_by_itself",),
    ),
    Mutation(
        "euros-counted-as-tfp",
        "services/analytics/domain/months.py",
        "own = [p for p in counted if p.currency == OWN_CURRENCY]",
        "own = counted",
        "A month's spending adds euros to TFP.",
        (f"{_USAGE}::test_only_active_and_completed_count_less_what_was_paid_back",),
    ),
    Mutation(
        "refund-added",
        "services/analytics/domain/things.py",
        "self.amount - self.refunded",
        "self.amount + self.refunded",
        "Money that was paid back counts as spent twice.",
        (f"{_USAGE}::test_only_active_and_completed_count_less_what_was_paid_back",),
    ),
    Mutation(
        "cancelled-counted",
        "services/analytics/domain/things.py",
        'frozenset({"active", "completed"})',
        'frozenset({"active", "completed", "cancelled"})',
        "What was never paid for counts as spent.",
        (f"{_USAGE}::test_only_active_and_completed_count_less_what_was_paid_back",),
    ),
    Mutation(
        "months-in-utc",
        "services/analytics/domain/months.py",
        'return f"{at.astimezone(zone):%Y-%m}"',
        'return f"{at:%Y-%m}"',
        "What a user in Tokyo bought on the first is in the month before.",
        (f"{_USAGE}::test_a_month_begins_by_the_users_clock",),
    ),
    Mutation(
        "overview-months-in-utc",
        "services/purchases/domain/settings.py",
        "this = now.astimezone(zone).replace(",
        "this = now.replace(",
        "The overview's month begins and ends at the wrong hour.",
        ("tests/unit/purchases/test_settings.py::test_the_months_are_those_of_the_users_clock",),
    ),
)
