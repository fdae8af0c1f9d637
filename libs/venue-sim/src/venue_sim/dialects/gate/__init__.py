"""Gate v4, USDT perpetual futures in single mode, REST."""
