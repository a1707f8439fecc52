// A picture with axes of the table behind a chart. Without it there is the one from the server.
"use strict";

for (const figure of document.querySelectorAll("figure[data-plot]")) {
  const rows = [...figure.querySelectorAll("tbody tr")];
  const names = [...figure.querySelectorAll("thead th")].slice(1).map((head) => head.textContent);
  const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const lines = names.map((_, n) => rows.map((row) => Number(row.querySelectorAll("[data-n]")[n].dataset.n)));
  const box = figure.querySelector("[data-picture]");
  const stroke = (n) => () => getComputedStyle(figure.querySelectorAll(".legend polyline")[n]).stroke;
  const look = getComputedStyle(box);
  const axis = { stroke: () => look.color, grid: { stroke: () => look.borderTopColor } };
  let plot = null;

  const draw = () => {
    const width = box.clientWidth;
    if (plot) {
      plot.setSize({ width, height: 220 });
      return;
    }
    box.textContent = "";
    plot = new uPlot({
      width, height: 220, legend: { show: false }, cursor: { drag: { x: false, y: false } },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), figure.dataset.zone),
      axes: [{ ...axis, values: "{HH}:{mm}" }, axis],
      scales: { y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
      series: [{}, ...names.map((label, n) => ({ label, stroke: stroke(n), width: 2, points: { show: false } }))],
    }, [times, ...lines], box);
  };
  new ResizeObserver(draw).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot && plot.redraw(false, true));
}
