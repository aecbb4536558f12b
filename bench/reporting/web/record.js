// The dialog that a method's name opens: its seeds, and the record of one of them.

function openRecord(row, seed) {
  const chosen = row.records.find((record) => String(record.seed) === String(seed)) ?? row.records[0];
  keep({ method: row.method, seed: chosen.seed });
  at("record-title").textContent = `${row.method} on ${board().title}`;
  at("record-body").replaceChildren(
    ...row.stale.map((why) => make("p", { class: "note" }, `Stale: ${why}`)),
    meanTable(row), make("h3", {}, "Seeds"), seedTable(row, chosen), ...recordParts(chosen));
  if (!at("record").open) at("record").showModal();
  drawRecordCurve(chosen);
}

// The row's means with all of their intervals, for which the leaderboard has no space.
function meanTable(row) {
  const heads = ["metric", "mean ± half (Student)", "bootstrap (BCa)", "test split (Wilson)", "seeds"];
  const ends = (key, pair) => (pair ? `${score(key, pair[0])} to ${score(key, pair[1])}` : NONE);
  const lines = Object.entries(row.metrics).map(([key, found]) =>
    make("tr", {}, make("th", { scope: "row", class: "name" }, declared(key).title), make("td", {}, found.text),
      make("td", {}, ends(key, found.bca)), make("td", {}, ends(key, row.test[key])), make("td", {}, found.n)));
  const head = make("tr", {}, ...heads.map((name, i) => make("th", { scope: "col", class: i ? "" : "name" }, name)));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Means" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines)));
}

function closeRecord() {
  keep({ method: "", seed: "" });
}

function seedTable(row, chosen) {
  const metrics = Object.entries(board().metrics);
  const head = make("tr", {}, ...["seed", "status", ...metrics.map(([, { title }]) => title), "train"].map((name) => make("th", { scope: "col", class: name === "seed" ? "name" : "" }, name)));
  const lines = row.records.map((record) => {
    const press = () => {
      openRecord(row, record.seed);
      document.querySelector(`[data-seed="${record.seed}"]`).focus();
    };
    const button = make("button", { type: "button", class: "link", "data-seed": record.seed, onclick: press }, `seed ${record.seed}`);
    return make("tr", { "aria-current": String(record === chosen) }, make("th", { scope: "row", class: "name" }, button), make("td", {}, record.status),
      ...metrics.map(([key]) => make("td", {}, score(key, record.metrics[key]))), make("td", {}, duration(record.cost.train_seconds)));
  });
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Seeds" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines)));
}

function recordParts(record) {
  const shared = (name) => data.shared[name][record[name]];
  return [
    make("h3", {}, `Seed ${record.seed}: ${record.status}`),
    record.error ? make("pre", {}, `${record.error.exception}\n\n${record.error.traceback ?? ""}`.trim()) : null,
    drawable(record).length ? make("div", { class: "controls" }, make("label", {}, "Curve ", make("select", { id: "record-key", onchange: () => drawRecordCurve(record) }))) : null,
    drawable(record).length ? make("div", { id: "record-curve", class: "chart" }) : null,
    make("h3", {}, "Cost"), definitions(record.cost),
    make("h3", {}, `Recipe ${record.hash}, protocol ${record.protocol}`), make("pre", { tabindex: "0" }, pretty(shared("recipe"))),
    make("h3", {}, "Evaluation and data"), definitions({ ...shared("evaluation"), ...shared("data") }),
    make("h3", {}, "Environment"), make("pre", { tabindex: "0" }, pretty(shared("environment"))),
  ].filter(Boolean);
}

const pretty = (value) => JSON.stringify(value, null, 1).replace(/^ {1}/gm, "").replace(/^\{\n|\n\}$/g, "");

function definitions(values) {
  const pairs = Object.entries(values).map(([key, value]) => make("div", {}, make("dt", {}, words(key)), make("dd", {}, value === null ? NONE : short(value))));
  return make("dl", {}, ...pairs);
}

const short = (value) => (typeof value === "number" ? value.toLocaleString("en", { maximumSignificantDigits: 5 }) : String(value).slice(0, 16));

const isNumber = (value) => typeof value === "number";

// The numbers of a record's curve that can be drawn against progress.
function drawable(record) {
  if (!record.curve.progress?.some(isNumber)) return [];
  return Object.keys(record.curve).filter((key) => !["progress", "seconds"].includes(key) && record.curve[key].some(isNumber));
}

function drawRecordCurve(record) {
  const keys = drawable(record);
  if (!keys.length) return;
  const select = at("record-key");
  if (!select.options.length) fill(select, keys.map((key) => [key, words(key)]), keys.includes("held_out_knn_top1") ? "held_out_knn_top1" : keys[0]);
  const key = select.value;
  const points = record.curve.progress.map((x, i) => [x, record.curve[key][i]]).filter((point) => point.every(isNumber));
  const trace = { x: points.map(([x]) => 100 * x), y: points.map(([, y]) => y * scale(key)), name: words(key), mode: "lines+markers", line: { color: COLOURS[0] } };
  draw("record-curve", [trace], "budget spent [%]", unitOf(key), `${words(key)} of seed ${record.seed}, ${points.length} points`);
  const more = record.points > record.curve.progress.length ? `${record.curve.progress.length} of ${record.points} points are shown; the record's file has them all.` : "";
  if (more && !at("record-thinned")) at("record-curve").after(make("p", { id: "record-thinned", class: "note" }, more));
}
