"""The operator's command `tandem`: asks the gateway over HTTP, and brings the database to a revision."""
