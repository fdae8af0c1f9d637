// The spread of one trade over time, with the lines that decide what happens next.

import uPlot from "./uplot/uPlot.esm.js";
import { h } from "./dom.js";
import { clockTime, dayOf, percent } from "./format.js";

const LINES = [
  { name: "spread", label: "exit spread", token: "--line-spread", width: 2, dash: [], stepped: false },
  { name: "entry", label: "entry", token: "--line-entry", width: 1.25, dash: [2, 3], stepped: true },
  { name: "takeProfit", label: "TP", token: "--line-profit", width: 1.25, dash: [8, 4], stepped: true },
  { name: "trigger", label: "trigger", token: "--line-trigger", width: 1.25, dash: [8, 3, 2, 3], stepped: true },
];
const LABEL_GAP_PX = 14;
const LABELS_WIDTH_PX = 102;
const FONT_PX = 11;
const DAY_SECONDS = 86400;

const charts = new Map();

/** Where a chart goes. `summary` is what it shows, in words. */
export function chartHost(id, summary, height) {
  const style = { height: `${height}px` };
  return h("div", {
    class: "chart",
    "data-key": id,
    "data-keep": true,
    "data-chart": id,
    role: "img",
    "aria-label": summary,
    style,
  });
}

/** Where the chart of this id says what lies under the pointer; a screen reader has the summary instead. */
export function chartReadout(id) {
  return h("p", {
    class: "readout quiet",
    "data-readout": id,
    "data-key": `${id}-readout`,
    "data-keep": true,
    "aria-hidden": "true",
  });
}

/** Draws or redraws the chart of this id where its host is in the page; `curve` as standing.js makes it. */
export function drawChart(id, curve) {
  const host = document.querySelector(`[data-chart="${id}"]`);
  if (!host || host.clientWidth === 0) return;
  const data = [curve.times, ...LINES.map((line) => curve[line.name])];
  const theme =
    getComputedStyle(document.documentElement).colorScheme + matchMedia("(prefers-color-scheme: dark)").matches;
  const known = charts.get(id);
  if (known && known.host === host && known.theme === theme) {
    known.shown.curve = curve;
    if (known.plot.width !== host.clientWidth)
      known.plot.setSize({ width: host.clientWidth, height: host.clientHeight });
    known.plot.setData(data);
    return;
  }
  known?.plot.destroy();
  host.replaceChildren();
  const shown = { curve };
  const plot = new uPlot(options(host, shown), data, host);
  charts.set(id, { host, theme, shown, plot });
}

/** Forgets the charts whose hosts are gone. */
export function forgetCharts() {
  for (const [id, { host, plot }] of charts) {
    if (host.isConnected) continue;
    plot.destroy();
    charts.delete(id);
  }
}

/** `shown.curve` is what is drawn now; the chart stays when it changes. */
function options(host, shown) {
  const colours = new Map();
  const colour = (token) => {
    if (!colours.has(token)) colours.set(token, resolved(host, token));
    return colours.get(token);
  };
  const axis = {
    stroke: colour("--text-quiet"),
    font: `${FONT_PX}px ${fontOf(host)}`,
    grid: { stroke: colour("--line-grid"), width: 1 },
    ticks: { show: false },
  };
  const series = LINES.map((line) => ({
    label: line.label,
    stroke: colour(line.token),
    width: line.width,
    dash: line.dash,
    paths: line.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
    points: { show: false },
  }));
  return {
    width: host.clientWidth,
    height: host.clientHeight,
    padding: [10, LABELS_WIDTH_PX, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { range: (_, from, to) => timeRange(from, to, shown.curve.marks) },
      y: { range: (plot) => spreadRange(plot, shown.curve.marks) },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 26,
        values: (_, splits, axis, space, stepSeconds) => splits.map((at) => axisTime(at, stepSeconds)),
      },
      {
        ...axis,
        space: 28,
        size: 52,
        values: (_, splits, axis, space, step) => splits.map((value) => percent(value, { digits: digitsOf(step) })),
      },
    ],
    series: [{}, ...series],
    hooks: {
      draw: [
        (plot) => drawMarks(plot, shown.curve.marks, colour),
        (plot) => drawLabels(plot, host, colour, shown.curve.isOver ? "last" : "now"),
      ],
      setCursor: [(plot) => tell(host, plot)],
    },
  };
}

/** As much of a time as tells it from the next one. */
function axisTime(at, stepSeconds) {
  if (stepSeconds >= DAY_SECONDS) return dayOf(at * 1000);
  return stepSeconds < 60 ? clockTime(at * 1000) : clockTime(at * 1000).slice(0, 5);
}

/** Digits of a percentage that tell one step of the scale from the next. */
function digitsOf(step) {
  return Number.isInteger(Number((step * 1000).toFixed(6))) ? 1 : 2;
}

/** Holds every valuation and every mark; never less than a minute. */
function timeRange(from, to, marks) {
  const times = marks.map((mark) => mark.at);
  if (from !== null && from !== undefined) times.push(from, to);
  if (times.length === 0) return [0, 60];
  const first = Math.min(...times);
  const last = Math.max(...times, first + 60);
  const air = (last - first) * 0.02;
  return [first - air, last + air];
}

/** Holds every line and every mark, with some air. */
function spreadRange(plot, marks) {
  const values = marks.map((mark) => mark.value);
  for (const line of plot.data.slice(1))
    for (const value of line) if (value !== null && value !== undefined) values.push(value);
  if (values.length === 0) return [0, 0.01];
  const low = values.reduce((one, other) => Math.min(one, other));
  const high = values.reduce((one, other) => Math.max(one, other));
  const air = Math.max((high - low) * 0.12, 0.0002);
  return [low - air, high + air];
}

function drawMarks(plot, marks, colour) {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `600 ${FONT_PX * ratio}px ${fontOf(plot.root)}`;
  for (const mark of marks) {
    const x = plot.valToPos(mark.at, "x", true);
    const y = plot.valToPos(mark.value, "y", true);
    if (x < plot.bbox.left - 1 || x > plot.bbox.left + plot.bbox.width + 1) continue;
    const size = 5 * ratio;
    ctx.fillStyle = colour("--text");
    ctx.strokeStyle = colour("--surface");
    ctx.lineWidth = 1.5 * ratio;
    ctx.beginPath();
    // An entry is a triangle, an exit a square: the shape says it, not the colour.
    if (mark.kind === "entry") {
      ctx.moveTo(x, y - size);
      ctx.lineTo(x + size, y + size);
      ctx.lineTo(x - size, y + size);
      ctx.closePath();
    } else ctx.rect(x - size, y - size, 2 * size, 2 * size);
    ctx.fill();
    ctx.stroke();
    ctx.textAlign = "center";
    ctx.fillText(mark.label, x, y - size - 6 * ratio);
  }
  ctx.restore();
}

/** The latest value of each line at its right end, moved apart where they would overlap. */
function drawLabels(plot, host, colour, spreadWord) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const labels = [];
  LINES.forEach((line, index) => {
    const value = plot.data[index + 1].at(-1);
    if (value === null || value === undefined) return;
    labels.push({ line, value, y: plot.valToPos(value, "y", true) });
  });
  labels.sort((one, other) => one.y - other.y);
  const gap = LABEL_GAP_PX * ratio;
  labels.forEach((label, index) => {
    if (index > 0) label.y = Math.max(label.y, labels[index - 1].y + gap);
  });
  const overhang = labels.length ? labels.at(-1).y - (bbox.top + bbox.height) : 0;
  ctx.save();
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  for (const { line, value, y } of labels) {
    ctx.fillStyle = colour(line.token);
    ctx.font = `${line.name === "spread" ? 600 : 400} ${FONT_PX * ratio}px ${fontOf(host)}`;
    ctx.fillText(
      `${line.name === "spread" ? spreadWord : line.label} ${percent(value)}`,
      bbox.left + bbox.width + 8 * ratio,
      y - Math.max(0, overhang),
    );
  }
  ctx.restore();
}

/** What lies under the pointer, in words above the chart. */
function tell(host, plot) {
  const place = document.querySelector(`[data-readout="${host.dataset.chart}"]`);
  if (!place) return;
  const index = plot.cursor.idx;
  if (index === null || index === undefined) {
    place.textContent = "";
    return;
  }
  const figures = LINES.map((line, number) => [line.label, plot.data[number + 1][index]]);
  const told = figures
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([label, value]) => `${label} ${percent(value)}`);
  place.textContent = [clockTime(plot.data[0][index] * 1000), ...told].join("  ·  ");
}

/** The canvas knows no custom properties: the browser resolves them for us. */
function resolved(host, token) {
  const probe = h("span", { style: { color: `var(${token})`, display: "none" } });
  host.parentElement.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function fontOf(element) {
  return getComputedStyle(element).fontFamily;
}
