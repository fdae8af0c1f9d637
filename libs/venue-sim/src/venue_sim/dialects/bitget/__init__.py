"""Bitget v2, USDT perpetual futures in one-way mode, REST."""
