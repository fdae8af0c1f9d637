// Where one trade stands, from what the API says of it: figures for the card, the ladder, the rails and the chart.

/** The samples of one trade, oldest first, each once. */
export function mergeSamples(known, newer) {
  const byId = new Map(known.map((sample) => [sample.id, sample]));
  for (const sample of newer) byId.set(sample.id, sample);
  return [...byId.values()].sort((one, other) => one.id - other.id);
}

/** P&L of an open trade by its latest valuation, of a closed one by its ledger; null is not known. */
export function profit(sample, totals = null, isClosed = false) {
  if (isClosed || totals?.pnl_complete) {
    const { spread_pnl_usdt: spread, fees_usdt: fees, funding_usdt: funding, net_pnl_usdt: net } = totals;
    return { spread, fees: negated(fees), funding, net, isClosed: true, isFinal: totals.pnl_complete };
  }
  const evidence = sample?.evidence ?? {};
  return {
    spread: sample?.position_pnl_usdt ?? null,
    fees: negated(evidence.fees_usdt),
    funding: evidence.funding_usdt ?? null,
    net: sample?.total_pnl_usdt ?? null,
    isClosed: false,
    isFinal: false,
    isComplete: sample?.pnl_complete ?? false,
  };
}

function negated(amount) {
  return amount === null || amount === undefined ? null : -Number(amount);
}

/** A weighted metric (natural logarithm) as the spread that it stands for. */
export function spreadOf(metric) {
  return metric === null || metric === undefined ? null : Math.exp(metric) - 1;
}

/** Filled entries in their order: the rank is k. */
export function filledEntries(entries) {
  return entries.filter((entry) => entry.status === "filled").sort((one, other) => one.entry - other.entry);
}

/** The rungs of the ladder: filled ones, ones at work, and those that may still come with their triggers. */
export function ladder(trade) {
  const filled = filledEntries(trade.entries);
  const rungs = filled.map((entry, index) => ({ k: index + 1, kind: "filled", entry }));
  for (const entry of trade.entries) {
    if (entry.status === "opening") rungs.push({ k: rungs.length + 1, kind: "opening", entry });
  }
  const first = trade.entry_spread_pct_first;
  if (trade.enabled && first !== null && trade.status === "open") {
    for (let k = rungs.length + 1; k <= trade.max_entries; k += 1) {
      const trigger = first * trade.trigger_mult ** (k - 1);
      rungs.push({ k, kind: k === filled.length + 1 ? "next" : "later", trigger });
    }
  }
  return rungs;
}

export function notionalPerLeg(entries) {
  return filledEntries(entries).reduce((sum, entry) => sum + Number(entry.notional_usdt ?? 0), 0);
}

/** The cap on one leg's notional, as the settings in effect have it; 0 means entries times the size of one. */
export function notionalCap(settings) {
  const value = (name) => Number(settings?.[name]?.value ?? NaN);
  const cap = value("LIVE_TRADING_SCALE_IN_MAX_TOTAL_NOTIONAL");
  if (Number.isNaN(cap)) return null;
  return cap > 0 ? cap : value("LIVE_TRADING_SCALE_IN_MAX_ENTRIES") * value("LIVE_TRADING_PER_LEG_USDT");
}

/** What the chart draws: one point a sample; a line that does not hold at a moment is null there. */
export function spreadCurve(samples, entries, maxEntries) {
  const curve = { times: [], spread: [], entry: [], takeProfit: [], trigger: [] };
  for (const sample of samples) {
    const evidence = sample.evidence ?? {};
    const isLadderFull = maxEntries !== null && evidence.entries >= maxEntries;
    curve.times.push(Date.parse(sample.sampled_at) / 1000);
    curve.spread.push(sample.exit_spread_pct);
    curve.entry.push(spreadOf(evidence.entry_metric_weighted));
    curve.takeProfit.push(evidence.tp_exit_spread_pct ?? null);
    curve.trigger.push(isLadderFull ? null : (evidence.next_trigger_spread_pct ?? null));
  }
  const marks = filledEntries(entries).map((entry, index) => ({
    at: Date.parse(entry.filled_at) / 1000,
    value: entry.entry_spread_pct,
    kind: "entry",
    label: `${index + 1}`,
  }));
  return { ...curve, marks };
}

/** The spread at which a closed trade was left, from the average prices of both legs; null while one is open. */
export function exitMark(signal, totals) {
  const { long, short } = totals.legs;
  if (!signal.closed_at || !long.average_exit_price || !short.average_exit_price) return null;
  const value = Number(short.average_exit_price) / Number(long.average_exit_price) - 1;
  return { at: Date.parse(signal.closed_at) / 1000, value, kind: "exit", label: "exit" };
}
