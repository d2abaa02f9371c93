"""Bugs on the way from a record to what is known of a user: consuming, erasing, folding."""

from typing import Final

from tests.mutants.mutation import Mutation

_FAULTS = "tests/integration/test_activity_faults.py"
_BATCH = "tests/unit/plumbing/test_batch.py"
_READING = "tests/unit/contracts/test_reading.py"
_TOMBSTONES = "tests/unit/plumbing/test_tombstones.py"
_PURCHASE = "tests/unit/purchases/test_purchase.py"
_WALLET = "tests/unit/purchases/test_wallet.py"
_ACTIVITY = "tests/unit/activity/test_activity.py"
_CONSENT = "tests/unit/activity/test_consent.py"

CONSUMING: Final = (
    Mutation(
        "commit-before-store",
        "shared/plumbing/consume.py",
        """\
        if not await self._until_it_succeeds(lambda attempt: self._settle(batch, causes, attempt)):
            return False
        await self._commit(kafka, {partition: records[-1].offset + 1 for partition, records in fetched.items()})
""",
        """\
        await self._commit(kafka, {partition: records[-1].offset + 1 for partition, records in fetched.items()})
        if not await self._until_it_succeeds(lambda attempt: self._settle(batch, causes, attempt)):
            return False
""",
        "What was fetched and not stored before a crash never comes again.",
        (f"{_FAULTS}::test_mongo_away_for_too_long_ends_it_uncommitted",),
    ),
    Mutation(
        "commit-one-too-far",
        "shared/plumbing/consume.py",
        "records[-1].offset + 1 for",
        "records[-1].offset + 2 for",
        "Each restart loses one record of each partition.",
        (
            f"{_FAULTS}::test_told_to_end_it_finishes_commits_and_ends_with_0",
            f"{_FAULTS}::test_mongo_away_for_too_long_ends_it_uncommitted",  # goes on where the one before ended
        ),
    ),
    Mutation(
        "giving-up-counts-as-done",
        "shared/plumbing/consume.py",
        "raise GaveUpError from error",
        "return True",
        "A batch that could not be stored is committed, and gone.",
        (f"{_FAULTS}::test_mongo_away_for_too_long_ends_it_uncommitted",),
    ),
    Mutation(
        "poison-dropped",
        "shared/plumbing/batch.py",
        "batch.poison.append((record, why))",
        "batch.ignored += 1",
        "A record that cannot be used vanishes instead of becoming a dead letter.",
        (f"{_BATCH}::test_what_cannot_be_used_is_kept_beside_what_can",),
    ),
    Mutation(
        "unknown-type-ignored",
        "shared/contracts/reading.py",
        """return Poison("unknown_type", "/type: should be one of the contract's event types, with its version")""",
        'return Ignored("unknown")  # type: ignore[return-value]',
        "A publisher's misspelt type goes unnoticed.",
        (f"{_READING}::test_a_type_that_the_contract_does_not_have",),
    ),
    Mutation(
        "key-not-checked",
        "shared/contracts/reading.py",
        "if not _is_key_of(key, event.data):",
        "if key is None:",
        "One user's events come on several partitions, in no order, or under another user's key.",
        (f"{_READING}::test_a_key_that_is_not_the_subject",),
    ),
    Mutation(
        "any-topic-carries-it",
        "shared/contracts/reading.py",
        "if event_type not in _TYPES_OF_TOPIC[topic]:",
        "if not event_type:",
        "Whoever may write to one topic can say what only another topic's writer vouches for.",
        (f"{_READING}::test_an_event_is_refused_on_a_topic_that_does_not_carry_it",),
    ),
)

ERASING: Final = (
    Mutation(
        "tombstones-not-read",
        "shared/plumbing/batch.py",
        "return tombstone is None or not tombstone.forbids(microseconds(event.time))",
        "return True",
        "A replay brings back who was erased.",
        (f"{_BATCH}::test_nothing_of_who_is_gone_is_left",),
    ),
    Mutation(
        "poison-of-the-gone-kept",
        "shared/plumbing/batch.py",
        "poison = [(record, why) for record, why in self.poison if not names_the_gone(record, tombstones)]",
        "poison = self.poison",
        "An erased user's emails lie in the dead letters.",
        (f"{_BATCH}::test_nothing_of_who_is_gone_is_left",),
    ),
    Mutation(
        "old-events-after-registering-anew",
        "shared/plumbing/tombstones.py",
        "return self.registered_at is None or at < self.registered_at",
        "return self.registered_at is None",
        "Who registers anew gets back what they had erased.",
        (f"{_BATCH}::test_who_registered_anew_has_what_came_after_it",),
    ),
    Mutation(
        "registration-outlives-erasure",
        "shared/plumbing/tombstones.py",
        "still = self.registered_at if self.registered_at is not None and self.registered_at > erased_at else None",
        "still = self.registered_at",
        "A second erasure of the same user removes nothing.",
        (f"{_TOMBSTONES}::test_gone_from_the_last_erasure_to_the_first_registration_after_it",),
    ),
)

FOLDING: Final = (
    Mutation(
        "duplicates-count-as-news",
        "shared/folds/state.py",
        "tuple(known[:3]) >= fact.stamp",
        "tuple(known[:3]) > fact.stamp",
        "Each redelivery writes everything and tells every gateway again.",
        (f"{_PURCHASE}::test_what_comes_again_changes_nothing",),
    ),
    Mutation(
        "first-come-wins-a-tie",
        "shared/folds/state.py",
        "tuple(known[:3]) >= fact.stamp",
        "tuple(known[:2]) >= fact.stamp[:2]",
        "Of two events of one time the one that arrived first wins: two services disagree.",
        ("tests/unit/purchases/test_settings.py::test_what_was_said_last_counts_in_any_order",),
    ),
    Mutation(
        "status-by-arrival",
        "shared/folds/state.py",
        "key=lambda said: (said.at, said.event))",
        "key=lambda said: said.at)",
        "A purchase that was made active and cancelled in one moment is either, as the events arrived.",
        (f"{_PURCHASE}::test_of_two_moves_at_one_time_the_greater_id_is_the_later_in_any_order",),
    ),
    Mutation(
        "history-keeps-the-oldest",
        "shared/folds/state.py",
        "del members[min(members,",
        "del members[max(members,",
        "A thing with a long history stays for ever in the status that it had after 200 moves.",
        (f"{_PURCHASE}::test_a_history_without_end_keeps_its_newest_moves",),
    ),
    Mutation(
        "refunded-may-come-back",
        "shared/folds/purchase.py",
        '"refunded": frozenset(),',
        '"refunded": frozenset({"active"}),',
        "Nobody is told that a refunded purchase runs again.",
        (f"{_PURCHASE}::test_the_history_tells_every_move_and_which_are_none_that_can_be_made",),
    ),
    Mutation(
        "maintenance-is-downtime",
        "shared/folds/deployment.py",
        '({"running", "scaling", "error"})',
        '({"running", "scaling", "error", "maintenance"})',
        "Planned maintenance counts as time in which it should have been up.",
        ("tests/unit/purchases/test_deployment.py::test_error_is_down_and_maintenance_does_not_count",),
    ),
    Mutation(
        "balance-of-the-latest-time",
        "shared/folds/wallet.py",
        "key=lambda line: (line.sequence, line.at, line.event))",
        "key=lambda line: (line.at, line.sequence, line.event))",
        "A correction that is dated back leaves the user with a balance of yesterday.",
        (f"{_WALLET}::test_the_balance_is_that_of_the_highest_sequence",),
    ),
    Mutation(
        "ledger-ordered-as-text",
        "shared/folds/wallet.py",
        "for name in sorted(blocks, key=int):",
        "for name in sorted(blocks):",
        "After 2,560 transactions the balance is an old one, and gaps are told that are none.",
        (f"{_WALLET}::test_a_long_ledger_is_in_the_order_of_its_numbers",),
    ),
    Mutation(
        "small-gaps-hidden",
        "shared/folds/wallet.py",
        "sequence <= runs[-1][1] + 1",
        "sequence <= runs[-1][1] + 2",
        "One lost transaction goes unnoticed.",
        (f"{_WALLET}::test_a_single_missing_transaction_is_told",),
    ),
    Mutation(
        "purchase-told-twice",
        "services/activity/domain/activity.py",
        '        thing=("purchase", bought.purchase_id),\n',
        "",
        "A purchase and the transaction that paid for it are two activities.",
        (f"{_ACTIVITY}::test_a_purchase_and_its_transaction_are_one_activity",),
    ),
    Mutation(
        "source-is-no-identity",
        "services/activity/domain/activity.py",
        '("event", event.source, event.id)',
        '("event", event.id)',
        "Two publishers that number their events alike overwrite each other's.",
        (f"{_ACTIVITY}::test_one_id_of_two_publishers_is_two_activities",),
    ),
    Mutation(
        "earlier-registration-wins-a-tie",
        "services/profile/domain/users.py",
        "known[name][1:] < new[1:]",
        "known[name][1:2] < new[1:2]",
        "Of two registrations of one time the name depends on which arrived first.",
        ("tests/unit/profile/test_users.py::test_at_one_time_the_greater_id_counts",),
    ),
)

CONSENT: Final = (
    Mutation(
        "viewing-is-never-forgotten",
        "services/activity/domain/activity.py",
        '"product_view": "low",',
        '"product_view": "medium",',
        "What a user looked at is kept although they switched tracking off.",
        (f"{_ACTIVITY}::test_an_event_tells_of_its_activity",),
    ),
    Mutation(
        "off-allows-everything",
        "shared/folds/consent.py",
        "Consent(later[0].time if later else NEVER)",
        "Consent(later[0].time if later else None)",
        "Switching tracking off does nothing.",
        (f"{_CONSENT}::test_after_off_nothing_is_kept_of_any_time",),
    ),
    Mutation(
        "consent-reaches-back",
        "shared/folds/consent.py",
        "last_off = max((i",
        "last_off = min((i",
        "Consent that is given again allows what was done between two withdrawals.",
        (f"{_CONSENT}::test_a_second_withdrawal_counts_as_the_first_did",),
    ),
    Mutation(
        "withdrawn-stay-in-the-cohort",
        "services/analytics/domain/benchmarks.py",
        "in before.members.items() if member in participants}",
        "in before.members.items()}",
        "Who takes no part is still in what others are compared with.",
        (
            "tests/unit/analytics/test_benchmarks.py::test_who_withdraws_is_out_and_what_is_told_does_not_depend_on_their_figure",
        ),
    ),
)

MUTATIONS: Final = (*CONSUMING, *ERASING, *FOLDING, *CONSENT)
