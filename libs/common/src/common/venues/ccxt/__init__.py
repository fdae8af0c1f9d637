"""The venue ports over ccxt: one adapter for every venue, and a small table of what is different at each.

`market_data` needs no key, `accounts` reads an account, `orders` and `trading` can change a position.
"""
