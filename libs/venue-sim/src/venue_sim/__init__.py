"""Simulated venues that speak the venues' own wire protocols."""
