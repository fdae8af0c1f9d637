"""How a command ends: its exit code, and for everything but success one sentence on stderr."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    REFUSED = 1
    """The system says no, or is not well."""
    USAGE = 2
    """Wrong arguments or settings of the command itself; nothing was asked."""
    UNREACHABLE = 3
    """No answer that can be read: the gateway, or the database of `migrate`."""
    NOT_YET = 4
    """Recorded and asked for, but not in effect within the time that was waited."""


class CommandFailed(Exception):
    """Ends the command; the text is for the operator and never holds a secret."""

    exit_code = ExitCode.REFUSED


class Refused(CommandFailed):
    """The system answered, and says no."""


class WrongUsage(CommandFailed):
    """The command was called wrongly."""

    exit_code = ExitCode.USAGE


class Unreachable(CommandFailed):
    """Nothing answered, or something that is no part of Tandem."""

    exit_code = ExitCode.UNREACHABLE


class NotYet(CommandFailed):
    """What was asked for is recorded, and not in effect yet."""

    exit_code = ExitCode.NOT_YET
