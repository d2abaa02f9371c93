"""What events say about purchases, deployments, wallets and consent, folded. Pure, and one for all who project them."""
