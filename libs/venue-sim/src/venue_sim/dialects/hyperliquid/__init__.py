"""Hyperliquid's perpetuals, REST: readings at /info, signed actions at /exchange."""
