"""PostgreSQL, NATS, simulated venues and the services on one machine."""
