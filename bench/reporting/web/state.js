// The reader's choices, kept in the address so that links and reloads keep them; and small helpers.

const state = { board: "", filter: "", anchors: "1", stale: "1", sort: "rank", down: "", method: "", seed: "", ...fromAddress() };
let data;

function fromAddress() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

function keep(changes) {
  Object.assign(state, changes);
  const defaults = { anchors: "1", stale: "1", sort: "rank" };
  const told = Object.entries(state).filter(([key, value]) => String(value) !== (defaults[key] ?? ""));
  history.replaceState(null, "", "#" + new URLSearchParams(told));
}

async function unpack(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

const at = (id) => document.getElementById(id);
const board = () => data.boards.find(({ title }) => title === state.board) ?? data.boards[0];  // a link may be older than the page

// An element with attributes and children; text goes in as text, never as markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function fill(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => make("option", { value }, text)));
  if (entries.some(([value]) => String(value) === String(chosen))) select.value = chosen;
}

// The rows that match the filter, in their order on the leaderboard.
function shownRows() {
  const parts = state.filter.toLowerCase().split(/,(?![^,:]*=)/).map((part) => part.trim()).filter(Boolean);
  return board().rows.filter((row) => {
    if (row.kind === "stale" ? !state.stale : row.kind !== "contestant" && !state.anchors) return false;
    return !parts.length || parts.some((part) => row.method.toLowerCase().includes(part));
  });
}

const NONE = "–";
const percent = (value, digits = 2) => (value === null || value === undefined ? NONE : (100 * value).toFixed(digits));
const declared = (key) => board().metrics[key];  // title, fraction (shown in percent), better: higher, lower or neither
const inUnit = (key, value) => (declared(key).fraction ? 100 : 1) * value;

function score(key, value, digits = 4) {
  if (value === null || value === undefined) return NONE;
  return declared(key).fraction ? percent(value) : value.toLocaleString("en", { maximumSignificantDigits: digits });
}


function duration(seconds) {
  if (!seconds) return NONE;
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function words(key) {
  const known = { held_out_knn_top1: "held-out kNN top-1", lr: "learning rate", images_per_second: "images per second" };
  return known[key] ?? key.replaceAll("_", " ");
}
