"""The words for the values of the API, one for each, wherever it is shown."""

from typing import Final


def N_(text: str) -> str:  # noqa: N802  (gettext's own name for a text that is translated later)
    """Marks a text for the catalogues."""
    return text


WORDS: Final = {
    # purchases
    "pending": N_("Pending"),
    "active": N_("Active"),
    "completed": N_("Completed"),
    "cancelled": N_("Cancelled"),
    "refunded": N_("Refunded"),
    "expired": N_("Expired"),
    "suspended": N_("Suspended"),
    # deployments
    "deploying": N_("Deploying"),
    "running": N_("Running"),
    "stopped": N_("Stopped"),
    "error": N_("Error"),
    "maintenance": N_("Maintenance"),
    "scaling": N_("Scaling"),
    # product types
    "service": N_("Service"),
    "application": N_("Application"),
    "app": N_("App"),
    "compute_slice": N_("Compute slice"),
    "storage": N_("Storage"),
    "network": N_("Network"),
    # billing
    "one_time": N_("Once"),
    "hourly": N_("Hourly"),
    "monthly": N_("Monthly"),
    "annual": N_("Annual"),
    # activities
    "login": N_("Sign-in"),
    "logout": N_("Sign-out"),
    "marketplace_browse": N_("Browsing"),
    "product_view": N_("Product view"),
    "cart_add": N_("Added to cart"),
    "cart_remove": N_("Removed from cart"),
    "purchase": N_("Purchase"),
    "service_deploy": N_("Service deployment"),
    "app_deploy": N_("App deployment"),
    "profile_update": N_("Profile change"),
    "preferences_update": N_("Preferences change"),
    "wallet_transaction": N_("Wallet transaction"),
    "pool_investment": N_("Pool investment"),
    "service_rating": N_("Rating"),
    "support_request": N_("Support request"),
    "credentials_reveal": N_("Credentials shown"),
    "data_export": N_("Data export"),
    "data_import": N_("Data import"),
    "low": N_("Low"),
    "medium": N_("Medium"),
    "high": N_("High"),
    # the wallet
    "top_up": N_("Top-up"),
    "withdrawal": N_("Withdrawal"),
    "transfer_in": N_("Transfer in"),
    "transfer_out": N_("Transfer out"),
    "refund": N_("Refund"),
    "pool_return": N_("Pool return"),
    "reward": N_("Reward"),
    "fee": N_("Fee"),
    "open": N_("Open"),
    "closed": N_("Closed"),
    # commands
    "buy": N_("Buy"),
    "cancel": N_("Cancel"),
    "start": N_("Start"),
    "stop": N_("Stop"),
    "restart": N_("Restart"),
    "scale": N_("Scale"),
    "succeeded": N_("Done"),
    "failed": N_("Failed"),
    # preferences
    "light": N_("Light"),
    "dark": N_("Dark"),
    "auto": N_("As the device has it"),
    "cards": N_("Cards"),
    "list": N_("List"),
    "compact": N_("Compact"),
    "detailed": N_("Detailed"),
    "public": N_("Public"),
    "limited": N_("Limited"),
    "private": N_("Private"),
}

SAID_BY_SERVICES: Final = (  # what is wrong with what a user typed, as the services say it
    N_("The email or the password is wrong."),
    N_("The password is wrong."),
    N_("There is an account with this email; log in, or register another email."),
    N_("Field required"),
    N_("should have 8 to 256 characters"),
    N_("should be an email address such as ada@example.org, at most 254 characters"),
    N_("should be a web address that begins with https:// or http://"),
    N_("should be the IANA name of a time zone, such as Europe/Stockholm"),
    N_("should be a country's ISO 3166 code of two letters, such as SE"),
    N_("should be an international number (E.164), such as +46701234567"),
    N_("should be TFP or an ISO 4217 code, such as EUR"),
    N_("the first price should not be above the second"),
)
