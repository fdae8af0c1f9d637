"""Observations become watchlist events on the bus."""
