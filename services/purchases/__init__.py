"""The purchases service: what a user bought, runs and owns."""
