"""OKX v5, USDT perpetual swaps in net mode, REST."""
