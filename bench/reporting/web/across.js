// Sections about more than one leaderboard: several tracks together, equal tuning, claims.

const TEXT = ["claim", "verdict", "on", "there"], LONG = ["claim", "the winner's settings"];

// A table of texts, as `report` has them in Markdown, under a heading.
function textTable(title, lines) {
  const names = Object.keys(lines[0]), plain = (text) => String(text).replaceAll(/[*`]/g, "");
  const kind = (name) => (LONG.includes(name) ? "wrap text" : TEXT.includes(name) ? "text" : "");
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col", class: name === "method" ? "name" : kind(name) }, name)));
  const cell = (name, text) =>
    name === "method" ? make("th", { scope: "row", class: "name" }, ...breakable(text)) : make("td", { class: kind(name) }, text);
  const body = lines.map((line) => make("tr", {}, ...names.map((name) => cell(name, plain(line[name])))));
  const table = make("table", { "aria-label": title }, make("thead", {}, head), make("tbody", {}, ...body));
  return [make("h3", {}, title), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table)];
}

function drawSummaries() {
  at("tracks-section").hidden = !data.summaries.length;
  at("tracks").replaceChildren(...data.summaries.flatMap(({ title, lines, note }) =>
    [...textTable(title, lines), make("p", { class: "note" }, note)]));
}

function drawTuning() {
  at("tuning-section").hidden = !data.tuning.length;
  at("tuning").replaceChildren(...data.tuning.flatMap((one, i) => [
    ...one.finals.flatMap(({ title, lines, verdict }) => [...textTable(title, lines), make("p", { class: "note" }, verdict)]),
    ...textTable(`Trials: ${one.title}`, one.trials),
    make("h3", {}, `Expected best of t trials: ${one.title}`), make("div", { id: `trials-${i}`, class: "chart" }),
  ]));
  data.tuning.forEach((one, i) => drawTrials(`trials-${i}`, one));
}

// Dodge et al. 2019: where two curves cross, the ranking depends on how much was tuned.
function drawTrials(id, { title, curves }) {
  const traces = curves.map(({ method, percent }, i) => ({
    x: percent.map((_, t) => t + 1), y: percent, name: method, mode: "lines+markers",
    line: { color: COLOURS[i % COLOURS.length], dash: DASHES[Math.floor(i / COLOURS.length) % DASHES.length], width: 2 },
  }));
  const accuracy = `expected best ${declared(data.headline).title} top-1 [%]`;
  draw(id, traces, "trials", accuracy, `${accuracy} against the number of trials: ${title}; tuning.md has the numbers.`);
  const most = Math.max(...curves.map(({ percent }) => percent.length));
  Plotly.relayout(at(id), { "xaxis.tick0": 1, "xaxis.dtick": Math.ceil(most / 16) });
}

function drawClaims() {
  at("claims-section").hidden = !data.experiments.length;
  at("claims").replaceChildren(...data.experiments.flatMap(({ title, claims }) => textTable(title, claims)));
}
