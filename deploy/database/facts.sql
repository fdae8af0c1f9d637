-- What is in the database, a line a fact: the same lines before a backup and after its restore mean the same content.
-- Order and place of rows do not matter, every value of every row does.
SET timezone = 'UTC';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET intervalstyle = 'postgres';

SELECT 'revision ' || string_agg(version_num, ' ') FROM watchlist.alembic_version;

SELECT format(
    'SELECT %L || count(*) || '' rows, checksum '' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM %I.%I t',
    schemaname || '.' || tablename || ' ', schemaname, tablename)
FROM pg_tables WHERE schemaname IN ('watchlist', 'paper') ORDER BY schemaname, tablename
\gexec

SELECT format(
    'SELECT %L || count(*) || '' rows'' FROM watchlist_months.%I', tablename || ' ', tablename)
FROM pg_tables WHERE schemaname = 'watchlist_months' ORDER BY tablename
\gexec

SELECT 'trades ' || status || ' ' || count(*) || ', net P&L ' || coalesce(sum(net_pnl_usdt), 0) || ' USDT'
FROM watchlist.live_trade_signal GROUP BY status ORDER BY status;

SELECT 'fills ' || venue || ' ' || side || ' ' || sum(quantity * price) || ' USDT, fees ' || coalesce(sum(fee_usdt), 0)
FROM watchlist.live_trade_fill GROUP BY venue, side ORDER BY venue, side;

SELECT 'funding ' || venue || ' ' || sum(amount_usdt) || ' USDT'
FROM watchlist.live_trade_funding GROUP BY venue ORDER BY venue;
