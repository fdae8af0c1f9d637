"""Binance USD-M futures, REST."""
