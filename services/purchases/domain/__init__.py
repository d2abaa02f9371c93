"""Pure: what events say of purchases, deployments and wallets, and what that comes to. No I/O, no clock."""
