"""The one address an operator needs."""
