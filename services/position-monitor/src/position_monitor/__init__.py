"""Values open trades and decides what happens to them."""
