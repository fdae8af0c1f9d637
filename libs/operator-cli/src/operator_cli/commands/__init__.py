"""One module for each command; `operator_cli.app` gives them their names."""
