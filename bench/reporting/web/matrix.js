// Differences of every pair of methods, and published numbers, as tables, which a screen reader can read.

const MOST = 60;  // rows and columns of the matrix, beyond which a browser is slow

function drawMatrix() {
  const metric = at("matrix-metric").value;
  const known = new Map(board().pairs[metric].map(([a, b, ...pair]) => [`${a}\n${b}`, pair]));
  const all = shownRows().filter((row) => !["stale", "external"].includes(row.kind) && row.metrics[metric]).map((row) => row.method);
  const names = all.slice(0, MOST);
  at("matrix-left-out").textContent = all.length > MOST ? `The first ${MOST} of ${all.length} methods; the filter chooses others.` : "";
  const head = make("tr", {}, make("th", { class: "name", scope: "col" }, "row − column"), ...names.map((name) => make("th", { scope: "col" }, name)));
  const lines = names.map((a) => make("tr", {}, make("th", { scope: "row", class: "name" }, ...breakable(a)), ...names.map((b) => pairCell(a, b, known))));
  at("matrix").replaceChildren(make("thead", {}, head), make("tbody", {}, ...lines));
}

function pairCell(a, b, known) {
  if (a === b) return make("td", {}, "");
  const straight = known.get(`${a}\n${b}`), turned = known.get(`${b}\n${a}`);
  if (!straight && !turned) return make("td", {}, NONE);
  const [difference, half, improvement, n, p, found] = straight ?? [-turned[0], turned[1], turned[2] === null ? null : 1 - turned[2], ...turned.slice(3)];
  const sign = difference > 0 ? "+" : "";
  if (half === null) return make("td", { title: `${n} pairs of seeds: too few to claim anything` }, sign + percent(difference));
  const differs = found === "better" || found === "worse";
  const verdict = !differs ? "" : difference > 0 ? "better" : "worse";
  const told = `p = ${p.toPrecision(2)} (Holm), ${n} pairs of seeds: ${differs ? `${a} is ${verdict} than ${b}` : found}`;
  return make("td", { class: verdict, title: told }, `${sign}${percent(difference)} ± ${percent(half)}`, make("br"), make("span", { class: "tag" }, `P = ${improvement.toFixed(2)}`));
}

function drawPublished() {
  const rows = board().published;
  at("published-section").hidden = !rows.length;
  const names = ["method", "metric", "value", "budget", "protocol", "source"];
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col", class: name === "method" ? "name" : "text" }, name)));
  const lines = rows.map((row) => make("tr", {}, ...names.map((name) =>
    name === "method" ? make("th", { scope: "row", class: "name" }, row.method) : make("td", { class: "text" }, name === "value" ? row.value.toFixed(2) : row[name]))));
  at("published").replaceChildren(make("thead", {}, head), make("tbody", {}, ...lines));
}
