"""Bugs at the doors: who may see what, what is kept of it, and what a page makes of a text."""

from typing import Final

from tests.mutants.mutation import Mutation

_TOKENS = "tests/unit/gateway/test_tokens.py"
_OPERATORS = "tests/unit/gateway/test_operators.py"
_PARTS = "tests/unit/gateway/test_parts.py"
_MIDDLEWARE = "tests/unit/gateway/test_middleware.py"
_GATEWAY = "tests/integration/test_gateway.py"

AUTHORIZATION: Final = (
    Mutation(
        "any-algorithm",
        "services/gateway/tokens.py",
        "claims = jwt.decode(text, self._key, algorithms=[_ALGORITHM]).claims",
        'claims = jwt.decode(text, self._key, algorithms=["HS256", "HS384", "HS512"]).claims',
        "Whoever makes a token chooses how it is checked.",
        (f"{_TOKENS}::test_only_the_one_algorithm_is_taken",),
    ),
    Mutation(
        "any-audience",
        "services/gateway/tokens.py",
        'aud={"essential": True, "value": _AUDIENCE}',
        'aud={"essential": True}',
        "A token that was made for something else signs in here.",
        (f"{_TOKENS}::test_a_claim_that_is_wrong_or_missing_is_rejected",),
    ),
    Mutation(
        "operator-for-ever",
        "services/gateway/tokens.py",
        'is_operator = claims["sub"] in self._operators and has_role(claims, OPERATOR)',
        "is_operator = has_role(claims, OPERATOR)",
        "Who is no operator any more still is one, until their token ends.",
        (f"{_OPERATORS}::test_a_token_says_that_it_is_an_operators_and_is_believed_while_the_settings_name_them",),
    ),
    Mutation(
        "role-in-any-text",
        "services/gateway/tokens.py",
        "return isinstance(roles, list) and role in roles",
        "return roles is not None and role in str(roles)",
        "A role such as `no-operator` opens the operators' door.",
        (f"{_OPERATORS}::test_a_claim_that_is_no_list_with_the_role_gives_none",),
    ),
    Mutation(
        "cross-site-let-in",
        "services/gateway/cookies.py",
        "refused = changes and _has_the_cookie(scope) and not is_own_page(scope)",
        "refused = False",
        "Another site's page changes things in the name of whoever looks at it.",
        (f"{_MIDDLEWARE}::test_a_change_with_the_cookie_is_taken_from_our_own_pages_only",),
    ),
    Mutation(
        "anybodys-cursor",
        "shared/plumbing/paging.py",
        "key=blake2b(user.encode()).digest(), ",
        "",
        "A cursor tells its finder where another user's list goes on.",
        ("tests/unit/plumbing/test_paging.py::test_a_cursor_is_good_for_its_user_only",),
    ),
    Mutation(
        "private-profile-shown",
        "services/profile/domain/profile.py",
        'if profile.profile_visibility == "private":',
        'if profile.profile_visibility == "hidden":',
        "Everybody sees the name of who wants to be seen by nobody.",
        ("tests/unit/profile/test_changes.py::test_a_card_shows_what_the_visibility_lets_be_seen",),
    ),
    Mutation(
        "unknown-user-has-a-password",
        "services/profile/passwords.py",
        "return right and hash is not None",
        "return right",
        "One password opens every account that does not exist.",
        ("tests/unit/profile/test_passwords.py::test_only_the_right_password_is_right",),
    ),
    Mutation(
        "ended-session-goes-on",
        "services/gateway/sessions.py",
        "        if answer.status == 404:\n            raise _BAD_TOKEN\n        if answer.status != 204:",
        "        if answer.status not in (204, 404):",
        "Who has signed out is still signed in, wherever the token went.",
        (f"{_GATEWAY}::test_a_token_is_dead_from_its_logout_on_and_others_live",),
    ),
    Mutation(
        "user-from-the-address",
        "services/gateway/sessions.py",
        'return self.remembered(token) or await self.check(token, request.headers.get("user-agent"))',
        """\
who = self.remembered(token) or await self.check(token, request.headers.get("user-agent"))
        return Identity(request.query_params.get("user", who.user), who.session_id)""",
        "`?user=` shows anybody's things to everybody.",
        (f"{_GATEWAY}::test_nobody_sees_anything_of_another",),
    ),
    Mutation(
        "anothers-thing-is-forbidden",
        "services/purchases/api.py",
        'raise ProblemError(404, "not-found"',
        'raise ProblemError(403, "not-found"',
        "The status says whether there is a purchase with that id.",
        ("tests/integration/test_purchases_service.py::test_nothing_of_another_user_is_found",),
    ),
)

CACHING: Final = (
    Mutation(
        "outdated-counts-as-fresh",
        "services/gateway/parts.py",
        "if kept.generation != entry.generations[service] or now - kept.since >= MAX_AGE_SECONDS:",
        "if now - kept.since >= MAX_AGE_SECONDS:",
        "A change is shown a minute late.",
        (f"{_PARTS}::test_a_change_leaves_the_bytes_and_a_late_answer_does_not_replace_a_later_one",),
    ),
    Mutation(
        "missed-changes-forgotten",
        "services/gateway/parts.py",
        " or self._trusted_from is None or kept.generation < self._trusted_from:",
        ":",
        "What changed while the broker was away is not shown when it is back.",
        (f"{_PARTS}::test_what_was_kept_before_the_updates_were_lost_is_not_fresh_when_they_are_back",),
    ),
    Mutation(
        "late-answer-wins",
        "services/gateway/parts.py",
        " or (known and known.generation > generation):",
        ":",
        "A slow answer from before a change takes the place of the one from after it.",
        (f"{_PARTS}::test_a_change_leaves_the_bytes_and_a_late_answer_does_not_replace_a_later_one",),
    ),
    Mutation(
        "everybodys-part",
        "services/gateway/parts.py",
        "kept: dict[Service, _Kept] = field(default_factory=dict)",
        "kept: dict[Service, _Kept] = field(default_factory=lambda everybodys={}: everybodys)",
        "One user's overview shows another's.",
        (f"{_PARTS}::test_users_have_parts_of_their_own",),
    ),
)

PAGES: Final = (
    Mutation(
        "pages-not-escaped",
        "services/gateway/pages/templating.py",
        "autoescape=True",
        "autoescape=False",
        "A product's name runs as a script in the page of whoever looks at it.",
        ("tests/unit/gateway/pages/test_view.py::test_what_a_user_typed_is_escaped",),
    ),
    Mutation(
        "answers-kept-by-browsers",
        "services/gateway/headers.py",
        '    "Cache-Control": "no-store",\n',
        "",
        "The next user of a shared computer goes back to the pages of the one before.",
        (f"{_MIDDLEWARE}::test_every_answer_says_that_nobody_is_to_keep_it",),
    ),
)

MUTATIONS: Final = (*AUTHORIZATION, *CACHING, *PAGES)
