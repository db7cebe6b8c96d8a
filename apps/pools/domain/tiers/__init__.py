"""Tiers below the accelerator's memory for KV blocks: their declaration, and the plan that is rendered."""
