"use strict";
(() => {
  Object.assign(state, { log: false, total: false, all: false });
  const series = () => data.series[state.series];
  const timeAxis = () => timeRuler(data);
  const countAxis = (log, rangemode = "tozero") => axis({ type: log ? "log" : "linear", rangemode: log ? "normal" : rangemode,
    tickformat: log ? ",~r" : ",~s", dtick: log ? 1 : undefined, nticks: log ? undefined : 6 });
  const scale = { labels: ["Linear", "Log"], get chosen() { return state.log ? 1 : 0; }, choose: (i) => { state.log = i === 1; redraw(); } };
  // the latest days: enough of them to see what the forecast goes on from
  const near = () => Math.max(60, 4 * data.horizon);
  const long = () => series().new.length > 1.3 * near();
  const recent = () => long() && !state.all;
  const span = () => ({ labels: long() ? ["Recent", "All"] : ["All"], chosen: state.all ? 1 : 0, choose: (i) => { state.all = i === 1; redraw(); } });
  // days and values from the first day shown on
  const cut = (x, ...values) => {
    const from = recent() ? unpack(series().time).at(-near()) : x[0], first = Math.max(0, x.findIndex((at) => at >= from));
    return [x, ...values].map((one) => one.slice(first));
  };
  // a logarithmic axis has no place for zero: half a case stands for it
  const placed = (values) => (state.log ? values.map((v) => (v === null ? null : Math.max(v, 0.5))) : values);
  const countBand = (x, low, high, color, alpha) => band(x, placed(low), placed(high), color, alpha);
  const line = (x, y, name, color, more = {}) => ({ type: "scatter", mode: "lines", x, y: placed(y), customdata: y, name: plain(name),
    line: { color, width: 2, ...more.line }, hovertemplate: `<b>%{customdata:,.0f}</b> ${plain(name)}<extra></extra>`, ...more.trace });

  // ── charts ────────────────────────────────────────────────────────────────────────────────────────────────────
  function drawCases(id, kind) {
    const mine = series(), colors = theme(), ahead = unpack(mine.future);
    const [past, reported] = cut(unpack(mine.time), mine[kind]);
    const names = ordered(data.chosen, data.models), visible = names.filter((name) => !state.off.has(name));
    const bands = visible.includes(data.chosen) ? mine.models[data.chosen][kind].bands : [];
    const [days, fitted] = cut(unpack(mine.course.time), mine.course.new);
    const known = days.filter((at) => at <= past[past.length - 1]);
    const history = kind === "new"
      ? { type: "bar", x: past, y: reported, marker: { color: faded(colors.history, 0.38) }, hovertemplate: "<b>%{y:,.0f}</b> reported<extra></extra>" }
      : line(past, reported, "reported", colors.history, { line: { width: 1.8 } });
    const traces = [history,
      ...bands.map((b, i) => countBand(ahead, b.low, b.high, colors.accent, 0.12 + (0.16 * i) / Math.max(1, bands.length - 1))),
      ...(kind === "new" ? [line(known, fitted.slice(0, known.length), "SEIR, fitted", colors.others[4], { line: { width: 1.5, dash: "dash" } })] : []),
      ...[...visible].reverse().map((name) => line(ahead, mine.models[name][kind].middle, name, colorAt(names.indexOf(name))))];
    draw(id, traces, { xaxis: timeAxis(), yaxis: countAxis(state.log, kind !== "new" && recent() ? "normal" : "tozero"), bargap: 0.15, shapes: verticals([past[past.length - 1]]) });
    legend(id, [{ label: "Reported", color: colors.history, look: kind === "new" ? "area" : "", opacity: kind === "new" ? 0.5 : 1 },
      ...(kind === "new" ? [{ label: "SEIR, fitted", color: colors.others[4], look: "dash" }] : []),
      ...names.map((name, i) => ({ label: name, key: name, color: colorAt(i) })),
      ...[...bands].reverse().map((b, i) => ({ label: `${b.level} %`, color: colors.accent, look: "area", opacity: 0.6 - 0.2 * i }))]);
    buttons(id, [span(), scale]);
    describe(id, `${mine.id}, ${kind === "new" ? "new cases a day" : "all cases so far"}: history and forecasts`);
  }

  function drawReproduction() {
    const { reproduction: r } = series(), colors = theme(), x = unpack(r.time);
    const show = (value) => value.toFixed(2);
    const text = r.estimate.map((v, i) => `<b>${show(v)}</b> (95 %: ${show(r["lo-95"][i])} to ${show(r["hi-95"][i])})`);
    const top = Math.min(Math.max(...r["hi-95"]), 2.5 * Math.max(...r.estimate));
    draw("reproduction", [band(x, r["lo-95"], r["hi-95"], colors.accent, 0.14), band(x, r["lo-50"], r["hi-50"], colors.accent, 0.24),
      { type: "scatter", mode: "lines", x, y: r.estimate, line: { color: colors.accent, width: 2.2 }, text, hovertemplate: "%{text}<extra></extra>" }],
    { xaxis: timeAxis(), yaxis: axis({ range: [0, top * 1.05], nticks: 6 }), shapes: [...verticals([x[r.origin - 1]]),
      { type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: colors.soft, width: 1 } }] });
    legend("reproduction", [{ label: "R by day", color: colors.accent }, { label: "50 %", color: colors.accent, look: "area", opacity: 0.5 },
      { label: "95 %", color: colors.accent, look: "area", opacity: 0.25 }]);
    describe("reproduction", `${series().id}: reproduction number by day, ${show(r.estimate[r.origin - 1])} on the last day`);
  }

  function drawScenarios() {
    if (!byId("scenarios")) return;
    const mine = series(), kind = state.total ? "cumulative" : "new", past = unpack(mine.time);
    const [shownDays, reported] = cut(past, mine[kind]);
    const lines = [{ name: "As fitted", ...mine.course }, ...mine.scenarios];
    draw("scenarios", [
      { type: "scatter", mode: "markers", x: shownDays, y: placed(reported), customdata: reported, marker: { size: 3.5, color: faded(theme().history, 0.55) }, hovertemplate: "<b>%{customdata:,.0f}</b> reported<extra></extra>" },
      ...lines.map((one, i) => line(...cut(unpack(mine.course.time), one[kind]), one.name, colorAt(i)))],
    { xaxis: timeAxis(), yaxis: countAxis(state.log), shapes: verticals([past[past.length - 1]]) });
    legend("scenarios", [{ label: "Reported", color: theme().history, look: "dot" }, ...lines.map((one, i) => ({ label: one.name, color: colorAt(i) }))]);
    buttons("scenarios", [{ labels: ["Daily", "Total"], chosen: state.total ? 1 : 0, choose: (i) => { state.total = i === 1; redraw(); } }, span(), scale]);
    describe("scenarios", `${mine.id}: ${lines.map((one) => one.name).join(", ")}`);
  }

  function drawOrigins() {
    if (!byId("origins")) return;
    const { time, models } = data.origins, names = ordered(data.chosen, Object.keys(models));
    const visible = names.filter((name) => models[name] && !state.off.has(name));
    draw("origins", visible.map((name) => ({ type: "scatter", mode: "lines+markers", x: time, y: models[name], name: plain(name), marker: { size: 7 },
      line: { color: colorAt(names.indexOf(name)), width: name === data.chosen ? 2.4 : 1.5 }, hovertemplate: `<b>%{y:,.0f}</b> ${plain(name)}<extra></extra>` })),
    { xaxis: timeAxis(), yaxis: axis({ type: "log", tickformat: ",~s", nticks: 6 }) });
    legend("origins", names.filter((name) => models[name]).map((name) => ({ label: name, key: name, color: colorAt(names.indexOf(name)) })));
    describe("origins", `WIS by origin: ${visible.join(", ")}`);
  }

  const picker = byId("series");
  if (picker) picker.onchange = () => { state.series = Number(picker.value); redraw(); };
  show(() => drawCases("daily", "new"), () => drawCases("total", "cumulative"), drawReproduction, drawScenarios, drawOrigins);
})();
