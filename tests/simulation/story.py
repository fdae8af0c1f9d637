"""What a committed row says in the trace of a run."""

from support.memory_postgres import Row


def told_of(table: str, row: Row) -> str | None:
    """One line about a row, or None for a table that tells nothing of trades."""
    match table:
        case "live_trade_signal":
            what = f"v{row['version']} {row['symbol']} {row['status']} {row['reason'] or row['close_reason'] or ''}"
            return f"signal {row['id']} {what} lease {row['lease_owner']}"
        case "live_trade_order":
            what = f"{row['leg']} {row['purpose']} {row['quantity']} {row['status']} {row['filled_quantity']}"
            return f"intent {row['signal_id']} {row['client_order_id']} {what} {row['error'] or ''}"
        case "live_trade_entry":
            return f"entry {row['signal_id']} {row['entry']} {row['status']} {row['quantity']}"
        case "operator_flatten":
            return f"flatten {row['request_id']} {row['state']}"
        case "operator_flatten_order":
            what = f"{row['leg']} {row['quantity']} {row['status']} {row['filled_quantity']}"
            return f"flatten order {row['request_id']} {row['client_order_id']} {what} {row['error'] or ''}"
        case "audit":
            return f"audit {row['service']} {row['decision']} {row['signal_id']}"
        case "trading_state" | "live_trade_error":
            return f"{table} {row.get('state') or row.get('message')}"
    return None
