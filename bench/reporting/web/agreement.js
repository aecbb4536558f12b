// Methods by metrics: the rank of each contestant by each, and how far the metrics agree.

function drawAgreement() {
  const { metrics, ranks, tau } = board().agreement;
  at("agreement-section").hidden = !metrics.length;
  if (!metrics.length) return;
  const titles = metrics.map((key) => make("th", { scope: "col" }, declared(key).title));
  const names = shownRows().map((row) => row.method).filter((name) => name in ranks);
  const worst = Math.max(...Object.values(ranks).flat());
  const shade = (rank) => `background: color-mix(in srgb, var(--accent) ${Math.round((30 * (worst - rank)) / Math.max(1, worst - 1))}%, transparent)`;
  const lines = names.map((name) => make("tr", {}, make("th", { scope: "row", class: "name" }, ...breakable(name)),
    ...ranks[name].map((rank) => make("td", { style: shade(rank) }, rank))));
  at("ranks").replaceChildren(make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "name" }, "method"), ...titles)), make("tbody", {}, ...lines));
  const known = new Map(tau.flatMap(([a, b, value]) => [[`${a}\n${b}`, value], [`${b}\n${a}`, value]]));
  const cell = (a, b) => (a === b ? "" : known.get(`${a}\n${b}`)?.toFixed(2) ?? NONE);
  const heads = metrics.map((key) => make("th", { scope: "col" }, declared(key).title));
  const pairs = metrics.map((a) => make("tr", {}, make("th", { scope: "row", class: "name" }, declared(a).title), ...metrics.map((b) => make("td", {}, cell(a, b)))));
  at("tau").replaceChildren(make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "name" }, "Kendall's τ"), ...heads)), make("tbody", {}, ...pairs));
}
