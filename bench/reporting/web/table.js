// The leaderboard: sorted within its four groups by the button in a column's head.

const GROUPS = [
  ["contestant", null],
  ["anchor", "Not ranked: anchors and oracles"],
  ["external", "Encoders from elsewhere: judged alike, trained otherwise"],
  ["stale", "Stale: made with other settings, protocol or data than today's"],
];

// Each column: key, head, the number to sort by, the text to show, whether larger is better.
function columns() {
  const metrics = Object.entries(board().metrics).map(([key, { title, better }]) => ({
    key,
    title,
    number: (row) => row.metrics[key]?.mean,
    text: (row) => meanText(key, row.metrics[key]),
    down: better !== "lower",
  }));
  const costs = data.costs.filter(({ title }) => title).map(({ key, title, better }) => ({
    key,
    title,
    number: (row) => row.shown[key][0],
    text: (row) => row.shown[key][1],
    down: better !== "lower",
  }));
  return [
    { key: "rank", title: "rank", number: (row) => row.ranks[data.headline]?.[0], text: rank },
    { key: "method", title: "method", number: (row) => row.method, text: name },
    metrics[0],
    { key: "test", title: board().judged_on ? "held-out split" : "test split", number: (row) => row.test[data.headline]?.[0], text: testSplit, down: true },
    ...metrics.slice(1),
    { key: "n", title: "n", number: (row) => row.metrics[data.headline]?.n ?? 0, text: seeds, down: true },
    ...costs,
    { key: "published", title: "published", number: (row) => published(row)[0]?.value, text: publishedText, down: true },
  ].filter((column) => !["test", "published", "energy_joules", "detect_seconds"].includes(column.key) || board().rows.some((row) => column.number(row)));
}

const rank = (row) => {
  const found = row.ranks[data.headline];
  if (!found) return row.kind === "contestant" ? NONE : "";
  return found[1] === found[2] ? `${found[0]}` : `${found[0]} (${found[1]}–${found[2]})`;
};

function meanText(key, found) {
  if (!found) return NONE;
  const told = found.bca ? `bootstrap (BCa): ${score(key, found.bca[0])} to ${score(key, found.bca[1])}` : null;
  return make("span", { title: told }, found.top ? make("b", {}, found.text) : found.text);
}

const testSplit = (row) => {
  const ends = row.test[data.headline];
  return ends ? make("span", { title: "Wilson's 95% interval for a test split of this size" }, `${percent(ends[0], 1)}–${percent(ends[1], 1)}`) : NONE;
};

const seeds = (row) =>
  [row.metrics[data.headline]?.n ?? 0, ...Object.entries(row.failed).map(([status, count]) => `${count} ${status}`)].join("; ");

const published = (row) => board().published.filter((found) => found.method === row.method);
const publishedText = (row) =>
  published(row).map((found) => `${found.value.toFixed(1)} [${noteNumber(found)}]`).join(", ") || NONE;
const noteOf = (found) => `${found.metric} at ${found.budget}; ${found.protocol}; ${found.source}`;
const notes = () => [...new Set(board().rows.flatMap(published).map(noteOf))];
const noteNumber = (found) => notes().indexOf(noteOf(found)) + 1;

// A long name may break after an underscore, and a method spec at its signs.
const breakable = (text) => text.split(/(?<=[_:,=])/).flatMap((part, i) => (i ? [make("wbr"), part] : [part]));

function name(row) {
  const tags = row.marks.join(", ");
  const open = make("button", { type: "button", class: "link", "aria-haspopup": "dialog", onclick: () => openRecord(row) }, ...breakable(row.method));
  return make("span", { title: row.stale.join("; ") || null }, open, tags ? make("span", { class: "tag" }, ` (${tags})`) : null);
}

function drawTable() {
  const shown = columns(), rows = shownRows();
  const sort = shown.find((column) => column.key === state.sort) ?? shown[0];
  const head = make("tr", {}, ...shown.map((column) => heading(column, sort)));
  const body = make("tbody");
  for (const [kind, rule] of GROUPS) {
    const group = rows.filter((row) => (row.kind === "oracle" ? "anchor" : row.kind) === kind);
    if (group.length && rule) body.append(make("tr", { class: "rule" }, make("td", { colspan: shown.length }, make("span", {}, rule))));
    body.append(...sorted(group, sort).map((row) => line(row, shown)));
  }
  at("board-table").replaceChildren(make("thead", {}, head), body);
  at("board-table").setAttribute("aria-label", board().title);
  showScrollHint();
  at("status").textContent = `${rows.length} of ${board().rows.length} methods, sorted by ${sort.title}${board().judged_on ? `; judged on ${board().judged_on}` : ""}`;
  at("notes").replaceChildren(...notes().map((note, i) => make("p", { class: "note" }, `[${i + 1}] published: ${note}`)));
}

function showScrollHint() {
  const region = at("board-table").parentElement;
  at("scrolls").hidden = region.scrollWidth <= region.clientWidth;
}

function heading(column, sort) {
  const is = column === sort ? (Boolean(state.down) ? "descending" : "ascending") : null;
  const press = () => {
    const down = column.key === state.sort ? !state.down : Boolean(column.down);
    keep({ sort: column.key, down: down ? "1" : "" });
    drawTable();
    document.querySelector(`[data-sort="${column.key}"]`).focus();
  };
  const button = make("button", { type: "button", "data-sort": column.key, onclick: press }, column.title);
  return make("th", { scope: "col", "aria-sort": is, class: column.key === "method" ? "name" : "" }, button);
}

function line(row, shown) {
  return make("tr", { class: row.kind, "data-method": row.method }, ...shown.map((column) =>
    column.key === "method" ? make("th", { scope: "row", class: "name" }, column.text(row)) : make("td", {}, column.text(row))));
}

// What has no number goes last, whichever way the rest is sorted; equals stay in the order of the leaderboard.
function sorted(rows, column) {
  const sign = state.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const x = column.number(a), y = column.number(b);
    if (x === undefined || x === null) return y === undefined || y === null ? 0 : 1;
    if (y === undefined || y === null) return -1;
    return sign * (x < y ? -1 : x > y ? 1 : 0);
  });
}
