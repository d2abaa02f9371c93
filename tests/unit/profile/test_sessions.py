"""What a session tells."""

from datetime import UTC, datetime, timedelta

from services.profile.domain.sessions import logged_out, open_session
from shared.contracts.identity import UserLoggedIn, UserLoggedOut

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def test_a_session_lasts_twelve_hours_and_tells_of_its_start_and_end() -> None:
    session = open_session("s-1", "ada@example.test", "browser", NOW)
    assert (session.opened_at, session.expires_at) == (NOW, NOW + timedelta(hours=12))
    assert session.logged_in() == UserLoggedIn(user_email="ada@example.test", session_id="s-1", user_agent="browser")
    assert logged_out("ada@example.test", "s-1") == UserLoggedOut(user_email="ada@example.test", session_id="s-1")
