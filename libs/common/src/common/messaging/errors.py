"""What a handler may say to the bus."""


class TryLater(Exception):
    """The message cannot be handled now, through no fault of its own: it comes again, however often that takes.

    It never counts as a failure of the message, so it leads to no quarantine; what limits it is the age that its
    stream keeps messages for.
    """
