// Methods by metrics: the rank of each contestant by each, and how far the metrics agree.

function drawAgreement() {
  const { metrics, ranked, ranks, tau } = board().agreement;
  at("agreement-section").hidden = !metrics.length;
  if (!metrics.length) return;
  const head = (first, keys) =>
    make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "name" }, first), ...keys.map((key) => make("th", { scope: "col" }, declared(key).title))));
  const names = shownRows().map((row) => row.method).filter((name) => name in ranks);
  const shade = (share) => `background: color-mix(in srgb, var(--accent) ${Math.round(30 * Math.max(0, share))}%, transparent)`;
  const worst = Math.max(...Object.values(ranks).flat());
  const lines = names.map((name) => make("tr", {}, make("th", { scope: "row", class: "name" }, ...breakable(name)),
    ...ranks[name].map((rank) => make("td", { style: shade((worst - rank) / Math.max(1, worst - 1)) }, rank))));
  at("ranks").replaceChildren(head("method", ranked), make("tbody", {}, ...lines));
  const known = new Map(tau.flatMap(([a, b, value]) => [[`${a}\n${b}`, value], [`${b}\n${a}`, value]]));
  const cell = (a, b) => {
    const value = known.get(`${a}\n${b}`);
    return a === b ? make("td") : make("td", { style: shade(value ?? 0) }, value?.toFixed(2) ?? NONE);
  };
  const pairs = metrics.map((a) => make("tr", {}, make("th", { scope: "row", class: "name" }, ...breakable(declared(a).title)), ...metrics.map((b) => cell(a, b))));
  at("tau").replaceChildren(head("metric", metrics), make("tbody", {}, ...pairs));
}
