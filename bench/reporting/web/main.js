// Starts the page, and updates it after each choice of the reader.

const THEMES = { "": "automatic", light: "light", dark: "dark" };
const RELOAD = 5000; // milliseconds between two loads of a live page

function drawAll() {
  drawTable();
  drawCost();
  drawCurves();
  drawDetection();
  drawSweeps();
  drawMatrix();
  drawAgreement();
  drawPublished();
  drawTuning();
}

function chooseBoard(title) {
  keep({ board: title });
  const costs = data.costs.filter(({ key, axis }) => axis && board().rows.some((row) => row.cost[key]));
  fill(at("cost-metric"), Object.entries(board().metrics).map(([key, { title }]) => [key, title]), at("cost-metric").value || data.headline);
  fill(at("cost-key"), costs.map(({ key, axis }) => [key, axis]), "train_seconds");
  for (const detection of [false, true]) {
    const select = at(detection ? "detection-key" : "curve-key");
    fill(select, curveKeys(detection).map((key) => [key, words(key)]), select.value || (detection ? "detect_precision" : ""));
  }
  drawAll();
}

function chooseTheme(theme) {
  document.documentElement.dataset.theme = theme;
  at("theme").textContent = `Theme: ${THEMES[theme]}`;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // a browser may refuse storage to a page from disk; then the choice lasts until the page is left
  }
  if (data?.boards.length) drawAll();
}

function storedTheme() {
  try {
    return localStorage.getItem("theme") ?? "";
  } catch {
    return "";
  }
}

function listen() {
  at("board").addEventListener("change", (event) => chooseBoard(event.target.value));
  at("filter").addEventListener("input", (event) => { keep({ filter: event.target.value }); drawAll(); });
  for (const id of ["anchors", "stale"]) at(id).addEventListener("change", (event) => { keep({ [id]: event.target.checked ? "1" : "" }); drawAll(); });
  for (const id of ["cost-key", "cost-metric"]) at(id).addEventListener("change", drawCost);
  for (const id of ["curve-key", "curve-axis"]) at(id).addEventListener("change", drawCurves);
  at("detection-key").addEventListener("change", drawDetection);
  at("matrix-metric").addEventListener("change", drawMatrix);
  at("close").addEventListener("click", () => at("record").close());
  at("record").addEventListener("close", closeRecord);
  at("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    chooseTheme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
  });
  window.addEventListener("resize", showScrollHint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => data.boards.length && drawAll());
}

// The status of a run in progress; only a page that `report --watch` made has one.
function drawRunning() {
  const now = data.running ?? {};
  at("running").hidden = !now.cell;
  if (!now.cell) return;
  const facts = [now.cell, `${Math.round(100 * now.progress)}%`, now.phase, now.loss === undefined ? null : `loss ${now.loss.toFixed(3)}`];
  at("running").replaceChildren(`Running: ${facts.filter(Boolean).join(", ")} `, make("progress", { max: 1, value: now.progress, "aria-label": "budget spent" }));
}

async function start() {
  chooseTheme(storedTheme() in THEMES ? storedTheme() : "");
  data = await unpack("data");
  drawRunning();
  at("spent").textContent = data.spent;
  if (data.running) setInterval(() => at("record").open || document.activeElement === at("filter") || location.reload(), RELOAD);
  listen();
  if (!data.boards.length) {
    at("status").textContent = "No record yet.";
    for (const part of document.querySelectorAll("[role=search], section ~ section")) part.hidden = true;
    document.body.dataset.ready = "yes";
    return;
  }
  fill(at("board"), data.boards.map(({ title }) => [title, title]), board().title);
  fill(at("matrix-metric"), data.compared.map((key) => [key, declared(key).title]), data.headline);
  at("filter").value = state.filter;
  for (const id of ["anchors", "stale"]) at(id).checked = Boolean(state[id]);
  drawSummaries();
  drawClaims();
  chooseBoard(board().title);
  const asked = state.method && board().rows.find((row) => row.method === state.method);
  if (asked) openRecord(asked, state.seed);
  document.body.dataset.ready = "yes";
}

start();
