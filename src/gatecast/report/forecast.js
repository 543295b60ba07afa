"use strict";
(() => {
  const { fan, backtest, training } = data;
  Object.assign(state, { target: 0, span: 0, metric: 0 });

  const formatter = (decimals) => {
    const format = new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    return (value) => (value === null || value === undefined ? "–" : format.format(value).replace("-", "−"));
  };
  const series = () => fan.series[state.series];
  const current = () => series().targets[state.target];
  const past = () => {
    const all = backtest && backtest.origins.series[series().id];
    return all ? all[state.target] : null;
  };
  const unit = () => fan.targets[state.target];

  const timeAxis = (extra) => timeRuler(fan, { title: fan.numeric ? title(fan.timeName) : undefined, ...extra });
  const numberAxis = (extra) => axis({ separatethousands: true, exponentformat: "B", nticks: 7, ...extra });

  // highest and lowest drawn value between two times, with a margin
  function reach(lines, from, to) {
    let low = Infinity, high = -Infinity;
    for (const { x, y } of lines) x.forEach((at, i) => {
      if (at === null || at < from || at > to || y[i] === null) return;
      low = Math.min(low, y[i]); high = Math.max(high, y[i]);
    });
    if (low > high) return undefined;
    const margin = (high - low || Math.abs(high) || 1) * 0.06;
    return [low >= 0 && low - margin < 0 ? 0 : low - margin, high + margin];
  }
  const lonely = (values) => values.some((v, i) => v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null);

  // ── the fan ───────────────────────────────────────────────────────────────────────────────────────────────────
  function drawFan() {
    const { history, forecast, actual, decimals } = current();
    const show = formatter(decimals), colors = theme();
    const pastX = unpack(history.time), futureX = unpack(series().future.time);
    const last = history.value.length - 1, joined = history.value[last] !== null && history.value[last] !== undefined;
    const join = (values) => (joined ? [history.value[last], ...values] : values);
    const x = joined ? [pastX[last], ...futureX] : futureX;
    const alphas = forecast.bands.length === 1 ? [0.22] : forecast.bands.map((_, i) => 0.13 + (0.14 * i) / (forecast.bands.length - 1));
    const bands = forecast.bands.map((b, i) => band(x, join(b.low), join(b.high), colors.accent, alphas[i]));
    const hover = forecast.middle.map((value, i) => [`<b>${show(value)}</b> forecast`, ...[...forecast.bands].reverse()
      .map((b) => `${b.level} %: ${show(b.low[i])} to ${show(b.high[i])}`)].join("<br>"));
    const begin = range(pastX, futureX);
    const dots = lonely(history.value) || pastX.filter((at) => at >= begin[0]).length <= 40;
    const traces = [...bands,
      { type: "scatter", mode: dots ? "lines+markers" : "lines", x: pastX, y: history.value, name: "actual", marker: { size: 4.5 },
        line: { color: colors.history, width: 1.6 }, hovertemplate: "<b>%{customdata}</b> actual<extra></extra>", customdata: history.value.map(show) },
      { type: "scatter", mode: "lines", x, y: join(forecast.middle), line: { color: colors.accent, width: 1.4, dash: "dot" }, hoverinfo: "skip" },
      { type: "scatter", mode: futureX.length <= 40 ? "lines+markers" : "lines", x: futureX, y: forecast.middle, name: "forecast",
        line: { color: colors.accent, width: 2.2 }, marker: { size: 5 }, text: hover, hovertemplate: "%{text}<extra></extra>" }];
    if (actual) traces.push({ type: "scatter", mode: "markers", x: futureX, y: actual, customdata: actual.map(show),
      marker: { size: 6, color: colors.panel, line: { color: colors.history, width: 1.6 } }, hovertemplate: "<b>%{customdata}</b> what happened<extra></extra>" });
    const lines = [{ x: pastX, y: history.value }, { x: futureX, y: forecast.middle },
      ...forecast.bands.flatMap((b) => [{ x: futureX, y: b.low }, { x: futureX, y: b.high }]), ...(actual ? [{ x: futureX, y: actual }] : [])];
    draw("fan", traces, { xaxis: timeAxis({ range: begin }), yaxis: numberAxis({ range: reach(lines, ...begin) }),
      shapes: verticals(joined || !pastX.length ? [x[0]] : [pastX[last]]) });
    follow("fan", lines);
    legend("fan", [{ label: "Actual", color: colors.history }, { label: "Forecast", color: colors.accent },
      ...[...forecast.bands].reverse().map((b, i, all) => ({ label: `${b.level} %`, color: colors.accent, look: "area", opacity: 0.55 - 0.35 * (i / Math.max(1, all.length - 1)) })),
      ...(actual ? [{ label: "What happened", color: colors.history, look: "dot" }] : [])]);
    const labels = spans(pastX).map((span) => span.label);
    buttons("fan", [{ labels, chosen: Math.min(state.span, labels.length - 1), choose: (i) => { state.span = i; drawFan(); } }]);
    const end = futureX.length - 1;
    describe("fan", `${series().id}, ${unit()}: history and forecast; ${series().future.text[0]}: ${show(forecast.middle[0])}, ` +
      `${series().future.text[end]}: ${show(forecast.middle[end])}`);
    const notes = [touch.matches ? "" : "Drag to zoom, double-click to reset."];
    if (history.of > history.value.length) notes.push(`${history.of.toLocaleString("en")} rows of history are drawn as ` +
      `${history.value.length.toLocaleString("en")}: the latest as they are, older ones by their extremes.`);
    byId("fan-note").textContent = notes.join(" ").trim();
  }

  function spans(pastX) {
    const rows = pastX.length, near = Math.max(4 * fan.horizon, 2 * fan.season, 30), found = [];
    if (rows > 1.3 * near) found.push({ label: "Recent", rows: near });
    if (rows > 6 * near) found.push({ label: "Longer", rows: 4 * near });
    return [...found, { label: "All", rows }];
  }

  function range(pastX, futureX) {
    const span = spans(pastX)[Math.min(state.span, spans(pastX).length - 1)];
    const last = futureX[futureX.length - 1], first = pastX.length ? pastX[Math.max(0, pastX.length - span.rows)] : futureX[0];
    const margin = (last - first || 1) * 0.015;
    return [first - margin, last + margin];
  }

  // after a zoom along time the values fill the height again
  function follow(id, lines) {
    const box = byId(id);
    box.removeAllListeners("plotly_relayout");
    box.on("plotly_relayout", (event) => {
      const number = (at) => (typeof at === "string" ? Date.parse(at.replace(" ", "T") + (at.length > 10 ? "Z" : "")) : at);
      if (event["xaxis.range[0]"] === undefined || event["yaxis.range[0]"] !== undefined) return;
      const fitting = reach(lines, number(event["xaxis.range[0]"]), number(event["xaxis.range[1]"]));
      if (fitting) Plotly.relayout(box, { "yaxis.range": fitting });
    });
  }

  // ── the forecast table ────────────────────────────────────────────────────────────────────────────────────────
  function table() {
    const { forecast } = current(), { text } = series().future;
    const both = forecast.point.some((v, i) => v !== null && Math.abs(v - forecast.middle[i]) > 1e-4 * Math.abs(v));
    const levels = [...forecast.bands].reverse();
    const head = [fan.timeName, "Forecast", ...(both ? ["Median"] : []), ...levels.flatMap((b) => [`${b.level} % low`, `${b.level} % high`])];
    const rows = text.map((at, i) => [at, forecast.point[i], ...(both ? [forecast.middle[i]] : []), ...levels.flatMap((b) => [b.low[i], b.high[i]])]);
    return { head, rows };
  }

  function drawTable() {
    const { head, rows } = table(), show = formatter(current().decimals);
    byId("forecast-table").tHead.replaceChildren(element("tr", {}, ...head.map((name, i) =>
      element("th", { scope: "col", className: i ? "num" : "", textContent: name }))));
    byId("forecast-table").tBodies[0].replaceChildren(...rows.map(([at, ...values]) => element("tr", {},
      element("th", { scope: "row", textContent: at }), ...values.map((v) => element("td", { className: "num", textContent: show(v) })))));
  }

  function saveTable() {
    const { head, rows } = table(), quote = (v) => (/[",\n]/.test(v ?? "") ? `"${String(v).replace(/"/g, '""')}"` : v ?? "");
    const text = [head, ...rows].map((row) => row.map(quote).join(",")).join("\n");
    const link = element("a", { href: URL.createObjectURL(new Blob([text + "\n"], { type: "text/csv" })), download: "forecast.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // ── the backtest ──────────────────────────────────────────────────────────────────────────────────────────────
  const inOrder = () => ordered(backtest.candidate, backtest.models);
  const modelColor = (name) => colorAt(inOrder().indexOf(name));
  const modelLegend = () => inOrder().map((name) => ({ label: name, key: name, color: modelColor(name) }));
  const visible = () => backtest.models.filter((name) => !state.off.has(name));

  function drawOrigins() {
    const mine = past(), colors = theme(), show = formatter(current().decimals), box = byId("origins");
    box.hidden = !mine;
    if (!mine) { byId("origins-legend").replaceChildren(); return; }
    const { history } = current(), pastX = unpack(history.time), known = mine.time.filter((at) => at !== null);
    const first = Math.min(...mine.cutoffs), last = Math.max(...known), lead = (last - first) * 0.35;
    const context = pastX.map((at, i) => [at, history.value[i]]).filter(([at]) => at >= first - lead && at <= last);
    const actual = { x: context.map(([at]) => at), y: context.map(([, value]) => value) }, traces = [], lines = [actual];
    const chosen = mine.models[backtest.candidate];
    if (chosen.low && !state.off.has(backtest.candidate)) {
      traces.push(band(mine.time, chosen.low, chosen.high, colors.accent, 0.18));
      lines.push({ x: mine.time, y: chosen.low }, { x: mine.time, y: chosen.high });
    }
    traces.push({ type: "scatter", mode: lonely(actual.y) ? "lines+markers" : "lines", ...actual, marker: { size: 4 }, line: { color: colors.history, width: 1.6 },
      customdata: actual.y.map(show), hovertemplate: "<b>%{customdata}</b> actual<extra></extra>" });
    for (const name of [...visible()].reverse()) {
      const { middle } = mine.models[name], mineToo = name === backtest.candidate;
      traces.push({ type: "scatter", mode: fan.horizon < 2 || backtest.steps.step.length < 2 ? "markers" : "lines", x: mine.time, y: middle, marker: { size: 6 },
        line: { color: modelColor(name), width: mineToo ? 2.3 : 1.3 }, opacity: mineToo ? 1 : 0.9, customdata: middle.map(show),
        hovertemplate: `%{customdata} ${plain(name)}<extra></extra>` });
      if (visible().length <= 6) lines.push({ x: mine.time, y: middle });
    }
    const span = [Math.min(first, actual.x[0] ?? first), last];
    draw("origins", traces, { xaxis: timeAxis({ range: span }), yaxis: numberAxis({ range: reach(lines, ...span) }), shapes: verticals(mine.cutoffs) });
    follow("origins", lines);
    legend("origins", [{ label: "Actual", color: colors.history }, ...modelLegend()]);
    describe("origins", `${series().id}: forecasts of ${visible().join(", ")} from ${mine.cutoffs.length} past origins over the actual values`);
    byId("origins-note").dataset.fixed ??= byId("origins-note").textContent;
    byId("origins-note").textContent = [byId("origins-note").dataset.fixed, "Dotted lines: the origins.",
      chosen.low ? `Shaded: the ${backtest.origins.level} % interval of ${backtest.candidate}.` : ""].join(" ").trim();
  }

  function drawSteps() {
    const { step, metrics } = backtest.steps, metric = metrics[state.metric];
    if (!metric) return;
    const values = visible().flatMap((name) => metric.values[name]).filter((v) => v !== null);
    const size = Math.max(...values.map(Math.abs), 1e-12), show = formatter(Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(size)))));
    const traces = visible().map((name) => ({ type: "scatter", mode: step.length <= 30 ? "lines+markers" : "lines", x: step, y: metric.values[name], marker: { size: 5 },
      line: { color: modelColor(name), width: name === backtest.candidate ? 2.5 : 1.4 }, customdata: metric.values[name].map(show),
      hovertemplate: `%{customdata} ${plain(name)}<extra></extra>` })).reverse();
    draw("steps", traces, {
      xaxis: ruler({ title: title("steps ahead"), tickformat: "d", hoverformat: "d", dtick: step.length <= 8 ? 1 : undefined, unifiedhovertitle: { text: "step %{x}" } }),
      yaxis: numberAxis({ rangemode: "tozero", ticksuffix: metric.unit === "%" ? " %" : "" }) });
    legend("steps", modelLegend());
    describe("steps", `${metric.label} by step ahead, 1 to ${step.at(-1)}, for ${visible().join(", ")}`);
    const picker = element("select");
    picker.setAttribute("aria-label", "Metric by step");
    picker.append(...metrics.map(({ label }, i) => element("option", { value: i, textContent: label, selected: i === state.metric })));
    picker.onchange = () => { state.metric = Number(picker.value); drawSteps(); byId("steps-controls").firstChild.focus(); };
    byId("steps-controls").replaceChildren(picker);
  }

  function drawCalibration() {
    const names = Object.keys(backtest.calibration), colors = theme();
    const levels = names.flatMap((name) => backtest.calibration[name].map((p) => p.level));
    const shares = names.filter((name) => !state.off.has(name)).flatMap((name) => backtest.calibration[name].map((p) => 100 * p.share));
    const left = Math.max(0, Math.min(...levels) - 8), bottom = Math.max(0, Math.floor((Math.min(left, ...shares) - 4) / 10) * 10);
    const traces = [
      { type: "scatter", mode: "lines", x: [0, 95, 100, 100, 5, 0, 0], y: [5, 100, 100, 95, 0, 0, 5], fill: "toself", fillcolor: faded(colors.soft, 0.13), line: { width: 0 }, hoverinfo: "skip" },
      { type: "scatter", mode: "lines", x: [0, 100], y: [0, 100], line: { color: colors.soft, width: 1, dash: "dash" }, hoverinfo: "skip" },
      ...names.filter((name) => !state.off.has(name)).map((name) => {
        const points = backtest.calibration[name], mine = name === backtest.candidate;
        return { type: "scatter", mode: "lines+markers", x: points.map((p) => p.level), y: points.map((p) => 100 * p.share),
          marker: { size: mine ? 11 : 8 }, line: { color: modelColor(name), width: mine ? 2.3 : 1.2 },
          text: points.map((p) => `<b>${(100 * p.share).toFixed(1)} %</b> of ${p.n.toLocaleString("en")} inside the ${p.level} % interval<br>${plain(name)}`),
          hovertemplate: "%{text}<extra></extra>" };
      }).reverse()];
    draw("calibration", traces, { hovermode: "closest",
      xaxis: ruler({ range: [left, 100.5], title: title("promised"), ticksuffix: " %", tickvals: [...new Set(levels)] }),
      yaxis: axis({ range: [bottom, 102], title: title("inside the interval"), ticksuffix: " %", nticks: 7 }) });
    legend("calibration", modelLegend().filter(({ key }) => names.includes(key)));
    describe("calibration", names.map((name) => `${name}: ${backtest.calibration[name].map((p) =>
      `${p.level} % interval held ${(100 * p.share).toFixed(0)} %`).join(", ")}`).join("; "));
  }

  // ── training ──────────────────────────────────────────────────────────────────────────────────────────────────
  function drawTraining() {
    const { step, train, val, best } = training, colors = theme(), mode = step.length <= 2 ? "lines+markers" : "lines";
    const all = [...train, ...(val || [])].filter((v) => v !== null), positive = Math.min(...all) > 0;
    const traces = [{ type: "scatter", mode, x: step, y: train, line: { color: colors.soft, width: 1.5 }, hovertemplate: "%{y:.4~g} training<extra></extra>" }];
    if (val) traces.push({ type: "scatter", mode, x: step, y: val, connectgaps: true, line: { color: colors.accent, width: 2.2 }, hovertemplate: "<b>%{y:.4~g}</b> validation<extra></extra>" },
      { type: "scatter", mode: "markers", x: [step[best]], y: [val[best]], marker: { size: 11, color: colors.panel, line: { color: colors.good, width: 2.5 } }, hoverinfo: "skip" });
    draw("training", traces, { xaxis: ruler({ title: title("step"), hoverformat: ",d", separatethousands: true,
      unifiedhovertitle: { text: "step %{x}" } }),
      yaxis: numberAxis({ type: positive && Math.max(...all) > 20 * Math.min(...all) ? "log" : "linear", title: title("loss") }),
      annotations: val ? [{ x: step[best], y: 1, yref: "paper", yanchor: "bottom", text: `best step ${step[best].toLocaleString("en")}`, showarrow: false, font: { ...font(), color: colors.good } }] : [],
      shapes: val ? verticals([step[best]]) : [], margin: { l: 8, r: 12, t: 26, b: 8 } });
    legend("training", [{ label: "Training", color: colors.soft }, ...(val ? [{ label: "Validation (the last windows of time)", color: colors.accent }] : [])]);
    describe("training", val ? `loss by step; best validation loss at step ${step[best]}` : "training loss by step");
  }

  // ── everything ────────────────────────────────────────────────────────────────────────────────────────────────
  function choose(key, value) {
    state[key] = value;
    byId(key).value = value;
    for (const drawing of [drawFan, drawTable, ...(backtest ? [drawOrigins] : [])]) drawing();
  }
  if (byId("series")) {
    byId("series").onchange = (event) => choose("series", Number(event.target.value));
    const go = (by) => () => choose("series", (state.series + by + fan.series.length) % fan.series.length);
    byId("series-previous").onclick = go(-1);
    byId("series-next").onclick = go(1);
  }
  if (byId("target")) byId("target").onchange = (event) => choose("target", Number(event.target.value));
  byId("download").onclick = saveTable;

  // many baselines make a thicket: start with the model and the four best others
  if (backtest) backtest.models.filter((name) => name !== backtest.candidate).slice(4).forEach((name) => state.off.add(name));

  show(drawFan, drawTable, ...(backtest ? [drawOrigins, drawSteps] : []),
    ...(backtest && backtest.calibration ? [drawCalibration] : []), ...(training ? [drawTraining] : []));
})();
