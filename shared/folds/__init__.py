"""What events say about purchases, deployments and wallets, folded. Pure, and one for all who project them."""
