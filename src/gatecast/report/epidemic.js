"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const byId = (id) => document.getElementById(id);
  const darkMode = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse), (max-width: 600px)");
  const state = { series: 0, log: false, total: false, off: new Set(), printing: false };

  // ── colours and helpers ───────────────────────────────────────────────────────────────────────────────────────
  const LIGHT = { ink: "#1b1d22", soft: "#5b606b", line: "#e9e9e4", rule: "#b9bab3", panel: "#ffffff", history: "#3d424d",
    accent: "#2f4fd0", others: ["#c2540a", "#0b7f6b", "#a3237f", "#8a6d00", "#5f6673", "#0077a8"] };
  const DARK = { ink: "#e9eaee", soft: "#a2a8b5", line: "#262a34", rule: "#4a5060", panel: "#191c23", history: "#c3c8d3",
    accent: "#93a8ff", others: ["#ff9d5c", "#4fd1b8", "#f08bd0", "#e0c04c", "#9aa3b5", "#5cc3f2"] };
  const theme = () => (darkMode.matches && !state.printing ? DARK : LIGHT);
  const faded = (hex, alpha) => `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${alpha})`;
  const colorAt = (i) => (i === 0 ? theme().accent : theme().others[(i - 1) % theme().others.length]);
  const ordered = (names) => [data.chosen, ...names.filter((name) => name !== data.chosen)];
  // plotly reads a little HTML in its texts; names from the data must not be read so
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const unpack = (time) => time.at || Array.from({ length: time.count }, (_, i) => time.start + i * time.step);
  const element = (tag, fields = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), fields);
    made.append(...children);
    return made;
  };
  const series = () => data.series[state.series];

  // ── layout ────────────────────────────────────────────────────────────────────────────────────────────────────
  const font = () => ({ family: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
    size: innerWidth < 600 ? 11 : 12.5, color: theme().soft });
  const axis = (extra) => ({ gridcolor: theme().line, zeroline: false, linecolor: theme().rule, tickcolor: theme().rule,
    automargin: true, showline: false, ticks: "", ...extra });
  const timeAxis = (extra) => axis({ type: data.numeric ? "linear" : "date", showgrid: false, showline: true, ticks: "outside",
    ticklen: 4, nticks: innerWidth < 600 ? 5 : 9, hoverformat: data.hover || undefined, ...extra });
  const countAxis = (log, extra) => axis({ type: log ? "log" : "linear", rangemode: log ? "normal" : "tozero",
    tickformat: log ? ",~r" : ",~s", dtick: log ? 1 : undefined, nticks: log ? undefined : 6, ...extra });
  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };

  function draw(id, traces, shape) {
    const box = byId(id);
    const size = state.printing ? { width: 655, height: box.matches(".tall") ? 300 : 240 } : {};
    box.style.height = size.height ? `${size.height}px` : "";
    Plotly.react(box, traces, { font: font(), paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
      margin: { l: 8, r: 12, t: 14, b: 8 }, hovermode: "x unified", dragmode: touch.matches ? false : "zoom",
      hoverlabel: { bgcolor: theme().panel, bordercolor: theme().rule, font: { ...font(), color: theme().ink }, align: "left" },
      autosize: !state.printing, ...size, ...shape }, CONFIG);
  }
  const vertical = (x) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", layer: "below",
    line: { color: theme().rule, width: 1, dash: "dot" } });

  function legend(id, items) {
    byId(`${id}-legend`).replaceChildren(...items.map(({ label, color, look = "", key, opacity }) => {
      const swatch = element("i", { className: look });
      if (look === "area") swatch.style.background = color; else swatch.style.borderColor = color;
      if (opacity) swatch.style.opacity = opacity;
      if (!key) return element("span", { className: "item" }, swatch, label);
      const button = element("button", { type: "button" }, swatch, label);
      button.setAttribute("aria-pressed", String(!state.off.has(key)));
      button.onclick = () => {
        if (!state.off.delete(key)) state.off.add(key);
        drawAll();
        [...document.querySelectorAll(`#${id}-legend button`)].find((other) => other.textContent === label)?.focus();
      };
      return button;
    }));
  }

  function buttons(id, choices) {
    byId(`${id}-controls`).replaceChildren(...choices.flatMap(({ labels, chosen, choose }, k) => [
      ...(k ? [element("span", { className: "gap" })] : []),
      ...labels.map((label, i) => {
        const button = element("button", { type: "button", textContent: label });
        button.setAttribute("aria-pressed", String(i === chosen));
        button.onclick = () => {
          choose(i); drawAll();
          [...byId(`${id}-controls`).querySelectorAll("button")].find((other) => other.textContent === label).focus();
        };
        return button;
      })]));
  }
  const scale = { labels: ["Linear", "Log"], get chosen() { return state.log ? 1 : 0; }, choose: (i) => { state.log = i === 1; } };
  // a logarithmic axis has no place for zero: half a case stands for it
  const placed = (values) => (state.log ? values.map((v) => (v === null ? null : Math.max(v, 0.5))) : values);

  function band(x, low, high, color, alpha) {
    const [l, h] = [placed(low), placed(high)];
    return { type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()], y: [...h, ...l.reverse()], fill: "toself",
      fillcolor: faded(color, alpha), line: { width: 0 }, hoverinfo: "skip" };
  }
  const line = (x, y, name, color, more = {}) => ({ type: "scatter", mode: "lines", x, y: placed(y), customdata: y, name: plain(name),
    line: { color, width: 2, ...more.line }, hovertemplate: `<b>%{customdata:,.0f}</b> ${plain(name)}<extra></extra>`, ...more.trace });

  // ── charts ────────────────────────────────────────────────────────────────────────────────────────────────────
  function drawCases(id, kind) {
    const mine = series(), colors = theme(), past = unpack(mine.time), ahead = unpack(mine.future);
    const names = ordered(data.models), visible = names.filter((name) => !state.off.has(name));
    const bands = visible.includes(data.chosen) ? mine.models[data.chosen][kind].bands : [];
    const course = mine.course, known = unpack(course.time).filter((at) => at <= past[past.length - 1]);
    const history = kind === "new"
      ? { type: "bar", x: past, y: mine.new, marker: { color: faded(colors.history, 0.38) }, hovertemplate: "<b>%{y:,.0f}</b> reported<extra></extra>" }
      : line(past, mine[kind], "reported", colors.history, { line: { width: 1.8 } });
    const traces = [history,
      ...bands.map((b, i) => band(ahead, b.low, b.high, colors.accent, 0.12 + (0.16 * i) / Math.max(1, bands.length - 1))),
      ...(kind === "new" ? [line(known, course.new.slice(0, known.length), "SEIR, fitted", colors.others[4], { line: { width: 1.5, dash: "dash" } })] : []),
      ...[...visible].reverse().map((name) => line(ahead, mine.models[name][kind].middle, name, colorAt(names.indexOf(name))))];
    draw(id, traces, { xaxis: timeAxis(), yaxis: countAxis(state.log), bargap: 0.15, shapes: [vertical(past[past.length - 1])] });
    legend(id, [{ label: "Reported", color: colors.history, look: kind === "new" ? "area" : "", opacity: kind === "new" ? 0.5 : 0 },
      ...(kind === "new" ? [{ label: "SEIR, fitted", color: colors.others[4], look: "dash" }] : []),
      ...names.map((name, i) => ({ label: name, key: name, color: colorAt(i) })),
      ...[...bands].reverse().map((b, i) => ({ label: `${b.level} %`, color: colors.accent, look: "area", opacity: 0.6 - 0.15 * i }))]);
    buttons(id, [scale]);
    byId(id).setAttribute("aria-label", `${mine.id}, ${kind === "new" ? "new cases a day" : "all cases so far"}: history and forecasts`);
  }

  function drawReproduction() {
    const { reproduction: r } = series(), colors = theme(), x = unpack(r.time), log = state.log;
    state.log = false; // R is not a count
    const show = (value) => value.toFixed(2);
    const text = r.estimate.map((v, i) => `<b>${show(v)}</b> (95 %: ${show(r["lo-95"][i])} to ${show(r["hi-95"][i])})`);
    const top = Math.min(Math.max(...r["hi-95"]), 2.5 * Math.max(...r.estimate));
    draw("reproduction", [band(x, r["lo-95"], r["hi-95"], colors.accent, 0.14), band(x, r["lo-50"], r["hi-50"], colors.accent, 0.24),
      { type: "scatter", mode: "lines", x, y: r.estimate, line: { color: colors.accent, width: 2.2 }, text, hovertemplate: "%{text}<extra></extra>" }],
    { xaxis: timeAxis(), yaxis: axis({ range: [0, top * 1.05], nticks: 6 }), shapes: [vertical(x[r.origin - 1]),
      { type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: colors.soft, width: 1 } }] });
    legend("reproduction", [{ label: "R by day", color: colors.accent }, { label: "50 %", color: colors.accent, look: "area", opacity: 0.5 },
      { label: "95 %", color: colors.accent, look: "area", opacity: 0.25 }]);
    byId("reproduction").setAttribute("aria-label", `${series().id}: reproduction number by day, ${show(r.estimate[r.origin - 1])} on the last day`);
    state.log = log;
  }

  function drawScenarios() {
    if (!byId("scenarios")) return;
    const mine = series(), kind = state.total ? "cumulative" : "new", x = unpack(mine.course.time), past = unpack(mine.time);
    const lines = [{ name: "As fitted", ...mine.course }, ...mine.scenarios];
    draw("scenarios", [
      { type: "scatter", mode: "markers", x: past, y: placed(mine[kind]), customdata: mine[kind], marker: { size: 3.5, color: faded(theme().history, 0.55) }, hovertemplate: "<b>%{customdata:,.0f}</b> reported<extra></extra>" },
      ...lines.map((one, i) => line(x, one[kind], one.name, colorAt(i)))],
    { xaxis: timeAxis(), yaxis: countAxis(state.log), shapes: [vertical(past[past.length - 1])] });
    legend("scenarios", [{ label: "Reported", color: theme().history, look: "dot" }, ...lines.map((one, i) => ({ label: one.name, color: colorAt(i) }))]);
    buttons("scenarios", [{ labels: ["Daily", "Total"], chosen: state.total ? 1 : 0, choose: (i) => { state.total = i === 1; } }, scale]);
    byId("scenarios").setAttribute("aria-label", `${mine.id}: ${lines.map((one) => one.name).join(", ")}`);
  }

  function drawOrigins() {
    if (!byId("origins")) return;
    const { time, models } = data.origins, names = ordered(Object.keys(models));
    const visible = names.filter((name) => models[name] && !state.off.has(name));
    draw("origins", visible.map((name) => ({ type: "scatter", mode: "lines+markers", x: time, y: models[name], name: plain(name), marker: { size: 7 },
      line: { color: colorAt(names.indexOf(name)), width: name === data.chosen ? 2.4 : 1.5 }, hovertemplate: `<b>%{y:,.0f}</b> ${plain(name)}<extra></extra>` })),
    { xaxis: timeAxis(), yaxis: axis({ type: "log", tickformat: ",~s", nticks: 6 }) });
    legend("origins", names.filter((name) => models[name]).map((name) => ({ label: name, key: name, color: colorAt(names.indexOf(name)) })));
    byId("origins").setAttribute("aria-label", `WIS by origin: ${visible.join(", ")}`);
  }

  function drawAll() {
    try {
      drawCases("daily", "new");
      drawCases("total", "cumulative");
      drawReproduction();
      drawScenarios();
      drawOrigins();
    } catch (error) {
      byId("trouble").hidden = false;
      throw error;
    }
  }

  const picker = byId("series");
  if (picker) picker.onchange = () => { state.series = Number(picker.value); drawAll(); };
  darkMode.addEventListener("change", drawAll);
  addEventListener("beforeprint", () => { state.printing = true; drawAll(); });
  addEventListener("afterprint", () => { state.printing = false; drawAll(); });
  let width = innerWidth;
  addEventListener("resize", () => { if ((width < 600) !== (innerWidth < 600)) { width = innerWidth; drawAll(); } });
  drawAll();
})();
