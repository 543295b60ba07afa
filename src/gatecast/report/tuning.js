"use strict";
(() => {
  // ── what is shown ─────────────────────────────────────────────────────────────────────────────────────────────
  const shown = data.trials.filter((one) => one.loss !== null);
  const height = (one) => Math.min(one.loss, data.worst); // a trial far above would press the others together
  const color = (one) => (one.number === data.winner ? theme().good : one.number === 0 ? theme().others[0]
    : one.state === "complete" ? theme().accent : theme().rule);
  const size = (one) => (one.number === data.winner || one.number === 0 ? 12 : 8);
  const words = (one) => [`trial ${one.number}${one.number === 0 ? " (default)" : ""}, ${one.state}`,
    `${data.metric} ${one.loss.toPrecision(4)}`,
    ...Object.entries(one.params).map(([name, value]) =>
      `${name} = ${typeof value === "number" ? +value.toPrecision(3) : value}`)].map(plain).join("<br>");

  function marks() {
    const items = [["trial", theme().accent], ["stopped early", theme().rule]];
    if (data.winner !== 0) items.unshift(["default", theme().others[0]]);
    items.push([data.winner === 0 ? "default, chosen" : "chosen", theme().good]);
    legend("history", items.map(([label, color]) => ({ label, color, look: "dot full" })));
  }

  // points are read one by one, and there is nothing to zoom
  const plot = (id, traces, shape, height) => draw(id, traces, { hovermode: "closest", dragmode: false, ...shape }, height);

  function history() {
    let best = Infinity;
    const complete = shown.filter((one) => one.state === "complete");
    const line = complete.map((one) => (best = Math.min(best, one.loss)));
    marks();
    plot("history", [
      { x: complete.map((one) => one.number), y: line, mode: "lines", hoverinfo: "skip",
        line: { shape: "hv", width: 2, color: theme().accent } },
      { x: shown.map((one) => one.number), y: shown.map(height), mode: "markers", hoverinfo: "text",
        text: shown.map(words), marker: { color: shown.map(color), size: shown.map(size) } },
    ], { xaxis: ruler({ title: title("trial"), rangemode: "tozero" }),
      yaxis: ruler({ showgrid: true, title: title(data.metric) }) });
  }

  function importance() {
    if (!byId("importance")) return;
    plot("importance", [{ type: "bar", orientation: "h", x: data.importance.map((one) => one[1]),
      y: data.importance.map((one) => plain(one[0])), hoverinfo: "x", marker: { color: theme().accent } }],
    { xaxis: ruler({ showgrid: true, tickformat: ".0%", rangemode: "tozero" }), yaxis: ruler({ ticklabelstandoff: 6 }) });
  }

  // three ticks of a logarithmic axis: plotly's own overlap where it is narrow
  const ends = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)], middle = Math.sqrt(low * high);
    const whole = values.every(Number.isInteger);
    const vals = [low, middle, high].map((v) => (whole ? Math.round(v) : v));
    return { tickmode: "array", tickvals: vals, ticktext: vals.map((v) => String(+v.toPrecision(2))) };
  };

  function slices() {
    const columns = innerWidth < 600 ? 2 : 5, rows = Math.ceil(data.fields.length / columns);
    const shape = { margin: { l: 8, r: 12, t: 34, b: 8 }, annotations: [] }, traces = [];
    data.fields.forEach((field, k) => {
      const column = k % columns, row = Math.floor(k / columns), id = k ? k + 1 : "";
      const [gapX, gapY] = [0.05, 0.3 / rows];
      const left = column / columns + (column ? gapX / 2 : 0.02), right = (column + 1) / columns - gapX / 2;
      const top = 1 - row / rows - 0.04, bottom = 1 - (row + 1) / rows + gapY;
      const values = shown.map((one) => one.params[field.name]), numeric = values.every((v) => typeof v === "number");
      shape[`xaxis${id}`] = ruler({ domain: [left, right], anchor: `y${id}`, nticks: 4, automargin: false,
        type: numeric ? (field.log ? "log" : "linear") : "category", tickfont: font(10.5),
        ...(numeric && field.log ? ends(values) : {}) });
      shape[`yaxis${id}`] = ruler({ showgrid: true, domain: [bottom, top], anchor: `x${id}`, matches: k ? "y" : undefined, nticks: 4,
        showticklabels: column === 0, tickfont: font(10.5) });
      shape.annotations.push({ text: `<b>${plain(field.name)}</b>`, x: left, y: top, xref: "paper", yref: "paper",
        xanchor: "left", yanchor: "bottom", showarrow: false, font: font(11.5) });
      traces.push({ x: numeric ? values : values.map(plain), y: shown.map(height), xaxis: `x${id}`, yaxis: `y${id}`, mode: "markers", hoverinfo: "text",
        text: shown.map(words), marker: { color: shown.map(color), size: shown.map((one) => size(one) - 2) } });
    });
    plot("slices", traces, shape, 230 * rows);
  }

  show(history, importance, slices);
})();
