// Sweeps over one number or two.

function drawSweeps() {
  const found = board().sweeps, metric = declared(data.headline).title;
  at("sweeps-section").hidden = !found.length;
  at("sweeps").replaceChildren(...found.flatMap((sweep, i) => [
    make("h3", {}, `Over ${sweep.title}`), make("div", { id: `sweep-${i}`, class: "chart" }),
  ]));
  const row = (name) => board().rows.find((one) => one.method === name && one.kind !== "stale").metrics[data.headline];
  found.forEach((sweep, i) => (sweep.lines ? drawSweep : drawGrid)(`sweep-${i}`, sweep, metric, row));
}

function drawSweep(id, sweep, metric, row) {
  const traces = sweep.lines.map((line, i) => {
    const rows = line.rows.map(row), color = COLOURS[i % COLOURS.length];
    return {
      x: line.value, y: rows.map((one) => 100 * one.mean), name: line.method, mode: "lines+markers",
      error_y: bars(data.headline, rows), line: { color, width: 2 },
    };
  });
  const values = sweep.lines.flatMap((line) => line.value);
  draw(id, traces, sweep.title, `${metric} top-1 [%]`, `${metric} against ${sweep.title}; the leaderboard has the numbers.`);
  const wide = Math.min(...values) > 0 && Math.max(...values) >= 10 * Math.min(...values), places = [...new Set(values)];
  const ticks = places.length > 8 ? {} : { "xaxis.tickvals": places, "xaxis.ticktext": places.map(String) };
  Plotly.relayout(at(id), { ...(wide ? { "xaxis.type": "log" } : {}), ...ticks });
}

function drawGrid(id, grid, metric, row) {
  const z = grid.rows.map((line) => line.map((name) => 100 * row(name).mean));
  const trace = {
    type: "heatmap", x: grid.second.map(String), y: grid.first.map(String), z, text: z.map((line) => line.map((value) => value.toFixed(2))),
    texttemplate: "%{text}", colorscale: "Cividis", colorbar: { title: { text: "%" } },
  };
  draw(id, [trace], grid.keys[1], grid.keys[0], `${metric} of every combination of ${grid.title}; the leaderboard has the numbers.`);
  Plotly.relayout(at(id), { "xaxis.type": "category", "yaxis.type": "category" });
}
