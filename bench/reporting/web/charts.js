// Charts by Plotly, in the page's own colours, each with a text alternative for screen readers.

const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#7F7F7F"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up"];

// A method has the same colour and symbol in every chart, independent of the filter.
function look(row) {
  const i = board().rows.indexOf(row);
  const turn = Math.floor(i / COLOURS.length);
  return { color: COLOURS[i % COLOURS.length], dash: DASHES[turn % DASHES.length], symbol: SYMBOLS[turn % SYMBOLS.length] };
}

function draw(id, traces, x, y, said) {
  const style = getComputedStyle(document.body), text = style.color, line = resolved("--line");
  const narrow = window.innerWidth < 640;
  const axis = (title) => ({ title: { text: title }, gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true });
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: text, family: style.fontFamily, size: 13 },
    margin: { l: 56, r: 12, t: 12, b: 48 },
    xaxis: axis(x), yaxis: axis(y), showlegend: traces.length > 1, hovermode: "closest",
    hoverlabel: { bgcolor: resolved("--raised"), font: { color: text } },
    legend: narrow ? { orientation: "h", x: 0, xanchor: "left", y: 0, yref: "container", yanchor: "bottom", maxheight: 5000 } : { x: 1.02, y: 1 },
  };
  const element = at(id);
  element.style.height = narrow && layout.showlegend ? `${20 + 1.3 * traces.length}rem` : "";  // the legend is below, a line each
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", said);
  Plotly.react(element, traces, layout, { responsive: true, displaylogo: false, displayModeBar: false });
}

// A colour of the style sheet as Plotly reads it.
function resolved(name) {
  const probe = make("span", { style: `color: var(${name})` });
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

// The intervals of means, as Plotly draws them.
function bars(metric, found) {
  const beside = (mean, end) => inUnit(metric, Math.abs((end ?? mean) - mean));
  return {
    array: found.map(({ mean, ends }) => beside(mean, ends?.[1])), arrayminus: found.map(({ mean, ends }) => beside(mean, ends?.[0])),
    visible: found.some(({ ends }) => ends !== null), thickness: 1,
  };
}

function drawCost() {
  const key = at("cost-key").value, metric = at("cost-metric").value;
  at("cost-section").hidden = !key;  // a board of encoders from elsewhere, or of failed cells, has no cost
  if (!key) return;
  const { axis: title, unit } = data.costs.find((cost) => cost.key === key);
  const rows = shownRows().filter((row) => row.kind !== "stale" && row.metrics[metric] && row.cost[key]);
  const contestants = rows.filter((row) => row.kind === "contestant");
  const place = (row) => [row.cost[key] / unit, inUnit(metric, row.metrics[metric].mean)];
  const { title: name, fraction, better } = declared(metric);
  const comparable = better && (board().steady || !key.endsWith("_seconds"));  // no front of times that other work disturbed
  const dominates = (a, b) => a[0] <= b[0] && (better === "lower" ? a[1] <= b[1] : a[1] >= b[1]) && (a[0] < b[0] || a[1] !== b[1]);
  const front = contestants.filter((row) => comparable && !contestants.some((other) => dominates(place(other), place(row))));
  const points = rows.map((row) => {
    const [x, y] = place(row), style = look(row);
    const symbol = style.symbol + (front.includes(row) ? "" : "-open");
    return { x: [x], y: [y], name: row.method, mode: "markers", error_y: bars(metric, [row.metrics[metric]]), marker: { color: style.color, size: 11, symbol, line: { width: 2, color: style.color } } };
  });
  const ends = front.map(place).sort((a, b) => a[0] - b[0]);
  const line = { x: ends.map((end) => end[0]), y: ends.map((end) => end[1]), name: "Pareto front", mode: "lines", line: { shape: "hv", color: resolved("--quiet"), width: 1 }, hoverinfo: "skip" };
  const without = better ? "Times vary by more than a fifth between seeds: no Pareto front." : "Neither more nor less of it is better: no Pareto front.";
  const said = `${name} against ${title}. ${comparable ? `On the Pareto front: ${front.map((row) => row.method).join(", ") || "none"}.` : without}`;
  draw("cost", [line, ...points], title, fraction ? `${name} [%]` : name, said);
}

function curveKeys(detection) {
  const isDetection = (key) => key.startsWith("detect") || key.startsWith("accepted");
  const keys = [...new Set(board().rows.flatMap((row) => Object.keys(row.curves)))].filter((key) => isDetection(key) === detection);
  return keys.sort((a, b) => (b === "held_out_knn_top1") - (a === "held_out_knn_top1") || (a < b ? -1 : 1));
}

const scale = (key) => (key.includes("top1") ? 100 : 1);
const unitOf = (key) => (key.includes("top1") ? `${words(key)} [%]` : words(key));

function drawLines(id, key, axis) {
  const rows = shownRows().filter((row) => row.kind !== "stale" && row.curves[key]?.values.length);
  const [title, unit] = axis === "seconds" ? ["training time [min]", 60] : ["budget spent [%]", 0.01];
  const traces = rows.map((row) => ({
    x: row.curves[key][axis].map((x) => x / unit), y: row.curves[key].values.map((y) => y * scale(key)),
    name: row.method, mode: row.curves[key].values.length < 3 ? "lines+markers" : "lines", line: { ...look(row), width: 2 },
  }));
  draw(id, traces, title, unitOf(key), `${words(key)} of ${rows.length} methods against ${title}; the table below has the numbers.`);
  tabulate(`${id}-table`, rows, key);
}

// The curve in words: its value at four places of the budget.
function tabulate(id, rows, key) {
  const places = [0.25, 0.5, 0.75, 1];
  const head = make("tr", {}, make("th", { scope: "col", class: "name" }, "method"), ...places.map((p) => make("th", { scope: "col" }, `${100 * p}% of the budget`)));
  const lines = rows.map((row) => {
    const { progress, values } = row.curves[key];
    const near = (p) => progress.reduce((best, x, i) => (Math.abs(x - p) < Math.abs(progress[best] - p) ? i : best), 0);
    return make("tr", {}, make("th", { scope: "row", class: "name" }, row.method), ...places.map((p) => make("td", {}, (values[near(p)] * scale(key)).toPrecision(4))));
  });
  at(id).replaceChildren(make("thead", {}, head), make("tbody", {}, ...lines));
}

function drawCurves() {
  if (at("curve-key").value) drawLines("curves", at("curve-key").value, at("curve-axis").value);
}

function drawDetection() {
  const some = curveKeys(true).length > 0;
  at("detection-body").hidden = !some;
  at("detection-none").hidden = some;
  if (some) drawLines("detection", at("detection-key").value, "progress");
}
