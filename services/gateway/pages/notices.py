"""What a page says after a change that led to it."""

from typing import Final

from services.gateway.pages.words import N_

NOTICES: Final = {
    "signed-out": N_("You are signed out."),
    "profile-saved": N_("Your profile is saved."),
    "preferences-saved": N_("Your preferences are saved."),
    "password-changed": N_("Your password is changed. All your other sessions have ended."),
    "session-ended": N_("That session has ended."),
    "rated": N_("Thank you. Your rating is saved."),
    "budget-saved": N_("Your budget is saved."),
    "dismissed": N_("That idea will not be shown again."),
    "read": N_("Marked as read."),
    "imported": N_("Your file is imported. Everything that was missing is back."),
    "session-over": N_("Your session had ended. Sign in to go on where you were."),
    "not-saved": N_("Your session had ended, so nothing was saved. Sign in to go back to what you were doing."),
    "sessions-ended": N_("All your other sessions have ended."),
    "all-set": N_("Everything is set up. You can change it at any time under Preferences."),
    "welcome": N_("Your account is ready."),
}
