"""Signals become hedged trades: the only service that sends orders."""
