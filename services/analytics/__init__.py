"""The analytics service: what a user's purchases, deployments and days come to, and what would serve them next."""
