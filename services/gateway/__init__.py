"""The gateway: it knows who is asking, which service answers, and how to show it. No business rule is here."""
