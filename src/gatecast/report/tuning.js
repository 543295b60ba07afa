"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const byId = (id) => document.getElementById(id);
  const darkMode = matchMedia("(prefers-color-scheme: dark)");
  const LIGHT = { soft: "#5b606b", line: "#e9e9e4", rule: "#b9bab3", panel: "#ffffff", ink: "#1b1d22", accent: "#2f4fd0",
    good: "#0b6b4f", warm: "#c2540a", pale: "#b9bab3" };
  const DARK = { soft: "#a2a8b5", line: "#262a34", rule: "#4a5060", panel: "#191c23", ink: "#e9eaee", accent: "#93a8ff",
    good: "#5fd0a5", warm: "#ff9d5c", pale: "#4a5060" };
  const theme = () => (darkMode.matches ? DARK : LIGHT);
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, showTips: false };

  const font = (size = 12.5) => ({ family: 'system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif', size,
    color: theme().soft });
  const axis = (extra) => ({ gridcolor: theme().line, zeroline: false, linecolor: theme().rule, tickcolor: theme().rule,
    automargin: true, ...extra });
  const layout = (extra) => ({ font: font(), paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: false, margin: { l: 8, r: 12, t: 14, b: 8 }, hovermode: "closest", dragmode: false,
    hoverlabel: { bgcolor: theme().panel, bordercolor: theme().rule, font: { ...font(), color: theme().ink } }, ...extra });
  const draw = (id, traces, shape) => Plotly.react(byId(id), traces, layout(shape), CONFIG);

  // ── what is shown ─────────────────────────────────────────────────────────────────────────────────────────────
  const shown = data.trials.filter((one) => one.loss !== null);
  const height = (one) => Math.min(one.loss, data.worst); // a trial far above would press the others together
  const color = (one) => (one.number === data.winner ? theme().good : one.number === 0 ? theme().warm
    : one.state === "complete" ? theme().accent : theme().pale);
  const size = (one) => (one.number === data.winner || one.number === 0 ? 12 : 8);
  const words = (one) => [`trial ${one.number}${one.number === 0 ? " (default)" : ""}, ${one.state}`,
    `${data.metric} ${one.loss.toPrecision(4)}`,
    ...Object.entries(one.params).map(([name, value]) =>
      `${name} = ${typeof value === "number" ? +value.toPrecision(3) : value}`)].map(plain).join("<br>");

  function legend(id) {
    const items = [["default", theme().warm], ["trial", theme().accent], ["stopped early", theme().pale]];
    if (data.winner) items.push(["chosen", theme().good]);
    byId(`${id}-legend`).replaceChildren(...items.map(([label, shade]) => {
      const item = Object.assign(document.createElement("span"), { className: "item" });
      const mark = Object.assign(document.createElement("i"), { className: "dot" });
      mark.style.borderColor = mark.style.background = shade;
      item.append(mark, label);
      return item;
    }));
  }

  function history() {
    let best = Infinity;
    const complete = shown.filter((one) => one.state === "complete");
    const line = complete.map((one) => (best = Math.min(best, one.loss)));
    legend("history");
    draw("history", [
      { x: complete.map((one) => one.number), y: line, mode: "lines", hoverinfo: "skip",
        line: { shape: "hv", width: 2, color: theme().accent } },
      { x: shown.map((one) => one.number), y: shown.map(height), mode: "markers", hoverinfo: "text",
        text: shown.map(words), marker: { color: shown.map(color), size: shown.map(size) } },
    ], { xaxis: axis({ showgrid: false, title: { text: "trial", font: font() }, rangemode: "tozero" }),
      yaxis: axis({ title: { text: data.metric, font: font() } }) });
  }

  function importance() {
    if (!byId("importance")) return;
    draw("importance", [{ type: "bar", orientation: "h", x: data.importance.map((one) => one[1]),
      y: data.importance.map((one) => plain(one[0])), hoverinfo: "x", marker: { color: theme().accent } }],
    { xaxis: axis({ tickformat: ".0%", rangemode: "tozero" }), yaxis: axis({ showgrid: false, ticklabelstandoff: 6 }) });
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
    byId("slices").style.height = `${230 * rows}px`;
    data.fields.forEach((field, k) => {
      const column = k % columns, row = Math.floor(k / columns), id = k ? k + 1 : "";
      const [gapX, gapY] = [0.05, 0.3 / rows];
      const left = column / columns + (column ? gapX / 2 : 0.02), right = (column + 1) / columns - gapX / 2;
      const top = 1 - row / rows - 0.04, bottom = 1 - (row + 1) / rows + gapY;
      const values = shown.map((one) => one.params[field.name]), numeric = values.every((v) => typeof v === "number");
      shape[`xaxis${id}`] = axis({ domain: [left, right], anchor: `y${id}`, showgrid: false, nticks: 4, automargin: false,
        type: numeric ? (field.log ? "log" : "linear") : "category", tickfont: font(10.5),
        ...(numeric && field.log ? ends(values) : {}) });
      shape[`yaxis${id}`] = axis({ domain: [bottom, top], anchor: `x${id}`, matches: k ? "y" : undefined, nticks: 4,
        showticklabels: column === 0, tickfont: font(10.5) });
      shape.annotations.push({ text: `<b>${plain(field.name)}</b>`, x: left, y: top, xref: "paper", yref: "paper",
        xanchor: "left", yanchor: "bottom", showarrow: false, font: font(11.5) });
      traces.push({ x: values, y: shown.map(height), xaxis: `x${id}`, yaxis: `y${id}`, mode: "markers", hoverinfo: "text",
        text: shown.map(words), marker: { color: shown.map(color), size: shown.map((one) => size(one) - 2) } });
    });
    draw("slices", traces, shape);
  }

  const all = () => [history, importance, slices].forEach((one) => {
    try { one(); } catch (error) { byId("trouble").hidden = false; console.error(error); }
  });
  all();
  darkMode.addEventListener("change", all);
})();
