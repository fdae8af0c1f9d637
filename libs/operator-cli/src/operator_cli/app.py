"""The commands by their names. A new one is a function in `commands` and a line here."""

import typer

from operator_cli.commands import (
    alerts,
    close,
    config,
    errors,
    explain,
    flatten,
    migrate,
    status,
    trades,
    trading_state,
    venues,
)

HELP = """Operate Tandem: look at it, stop it, close trades, migrate its database.

Exit codes: 0 done; 1 the system says no, or is not well; 2 wrong usage, nothing was asked; 3 no answer, or what
answers is no part of Tandem; 4 recorded, but not in effect within --wait.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(status.status)
app.command()(trades.trades)
app.command()(explain.explain)
app.command()(errors.errors)
app.command("halt")(trading_state.halt)
app.command("reduce")(trading_state.reduce)
app.command()(trading_state.resume)
app.command()(close.close)
app.command()(flatten.flatten)
app.command()(config.config)
app.add_typer(alerts.app, name="alerts")
app.add_typer(migrate.app, name="migrate")
app.add_typer(venues.app, name="venues")
