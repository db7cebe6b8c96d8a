"""How KV blocks are used again, what a tier is worth, and which tiers a pool is to have: pure."""
