"use strict";
(() => {
  // ── state ─────────────────────────────────────────────────────────────────────────────────────────────────────
  const times = unpack(data.time), future = unpack(data.future), last = times.length - 1;
  let step = last, unit = 0, ahead = 0, playing = 0;
  const slider = byId("step"), picker = byId("unit");
  const at = (name, t = step) => data.parts[name][unit][t];
  const digits = (value, count = 2) => Math.abs(value).toFixed(count).replace(/^/, value <= -0.5 * 10 ** -count ? "−" : "");
  const amount = (value) => (value === null ? "missing" : value.toLocaleString("en", { maximumFractionDigits: data.decimals }));

  // ── series and heat maps ──────────────────────────────────────────────────────────────────────────────────────
  const MAPS = [["f", "forget gate f"], ["i", "input gate i"], ["o", "output gate o"], ["c", "cell state c"]];
  const SHARE = [0.3, 0.155, 0.155, 0.155, 0.155], GAP = 0.02;
  const place = (k) => {
    const top = 1 - SHARE.slice(0, k).reduce((a, b) => a + b, 0) - k * GAP;
    return [Math.max(0, top - SHARE[k] + 0.012), Math.max(0.01, top - 0.012)];
  };
  const shapes = () => [
    { type: "line", x0: times[step], x1: times[step], y0: 0, y1: 1, yref: "paper", line: { color: theme().accent, width: 1.5 } },
    ...MAPS.map((_, k) => ({ type: "rect", x0: 0, x1: 1, xref: "paper", yref: `y${k + 2}`, y0: unit - 0.5, y1: unit + 0.5,
      line: { color: theme().accent, width: 1.2 } }))];

  function maps() {
    const dark = theme() === DARK, numbers = data.units.map((_, k) => k);
    const gate = dark ? [[0, "#16181f"], [0.5, "#3a57b8"], [1, "#d7e3ff"]] : [[0, "#1c2340"], [0.5, "#5b7be0"], [1, "#f3f6ff"]];
    const signed = dark ? [[0, "#ff8a72"], [0.5, "#191c23"], [1, "#7fa2ff"]] : [[0, "#c23b22"], [0.5, "#ffffff"], [1, "#2f4fd0"]];
    const largest = Math.max(...data.parts.c.flat().map(Math.abs), 1e-6);
    const words = (name) => data.units.map((of, row) => times.map((_, t) =>
      `${plain(data.text[t])}, unit ${of}<br>${name} = ${digits(data.parts[name][row][t], 3)}`));
    const shape = { margin: { l: 8, r: 12, t: 8, b: 8 }, hovermode: "closest", dragmode: false, annotations: [], shapes: shapes(),
      xaxis: timeRuler(data, { anchor: "y5" }), yaxis: ruler({ showgrid: true, domain: place(0), nticks: 5 }) };
    const traces = [
      { x: times, y: data.value, mode: "lines+markers", marker: { size: 4 }, line: { color: theme().history, width: 1.8 },
        hovertemplate: "%{y}<extra></extra>" },
      { x: future, y: data.forecast, mode: "lines", line: { color: theme().accent, width: 2.2, dash: "dot" },
        hovertemplate: "forecast %{y}<extra></extra>" }];
    MAPS.forEach(([name, label], k) => {
      const id = k + 2, state = name === "c", domain = place(k + 1);
      shape[`yaxis${id}`] = ruler({ domain, autorange: "reversed", showticklabels: false, ticks: "" });
      shape.annotations.push({ text: label, x: 1, y: domain[1], xref: "paper", yref: "paper", xanchor: "right", yanchor: "top",
        showarrow: false, font: font(11.5), bgcolor: faded(theme().panel, 0.85), borderpad: 2 });
      traces.push({ type: "heatmap", x: times, y: numbers, z: data.parts[name], yaxis: `y${id}`, showscale: false,
        zmin: state ? -largest : 0, zmax: state ? largest : 1, colorscale: state ? signed : gate, text: words(name), hoverinfo: "text" });
    });
    const box = byId("maps");
    draw("maps", traces, shape, 620);
    if (!box.dataset.listens) {
      box.dataset.listens = "yes";
      box.on("plotly_click", ({ points: [point] }) => {
        const index = Array.isArray(point.pointIndex) ? point.pointIndex : [unit, point.pointIndex];
        if (point.curveNumber !== 1) go(index[1], index[0]);
      });
    }
    describe("maps", `${data.target} over ${times.length} steps, and the gates of ${data.units.length} units`);
  }

  // ── the four steps in numbers ─────────────────────────────────────────────────────────────────────────────────
  const NAMES = { i: "i", f: "f", g: "g", o: "o" };
  const sum = (name) => {
    const [x, h, b] = [data.from_x[name][unit][step], data.from_h[name][unit][step], data.bias[name][unit]];
    const squash = name === "g" ? "tanh" : "σ", term = (value) => (value < 0 ? " − " : " + ") + Math.abs(value).toFixed(2);
    return `${NAMES[name]} = ${squash}(${digits(x)}${term(h)}${term(b)}) = ${squash}(${digits(x + h + b)}) = ${digits(at(name))}`;
  };
  const percent = (value) => `${Math.round(100 * value)} %`;

  function four() {
    const before = step ? at("c", step - 1) : 0, [i, f, g, o, c, h] = ["i", "f", "g", "o", "c", "h"].map((name) => at(name));
    const rows = [
      ["Forget", [sum("f")], `${percent(f)} of the old memory stays: ${digits(f)} · ${digits(before)} = ${digits(f * before, 3)}.`],
      ["Take in", [sum("i"), sum("g")], `${percent(i)} of the candidate ${digits(g)} is let in: ${digits(i * g, 3)}.`],
      ["Update the memory", [`c = f · c₋₁ + i · g = ${digits(f)} · ${digits(before)} + ${digits(i)} · ${digits(g)} = ${digits(c)}`],
        Math.abs(f * before) > Math.abs(i * g) ? "More of it is old than new." : "More of it is new than old."],
      ["Put out", [sum("o"), `h = o · tanh(c) = ${digits(o)} · ${digits(Math.tanh(c))} = ${digits(h)}`],
        `${percent(o)} of the memory is shown to the next step and to the layer above.`]];
    byId("four").replaceChildren(...rows.map(([name, lines, words]) => element("li", {}, element("b", { textContent: name }),
      ...lines.map((line) => element("code", { textContent: line })), element("span", { textContent: words }))));
  }

  // ── the diagram ───────────────────────────────────────────────────────────────────────────────────────────────
  function diagram() {
    const before = step ? at("c", step - 1) : 0, say = (id, text) => { byId(`say-${id}`).textContent = text; };
    for (const name of ["f", "i", "o"]) {
      const open = at(name), valve = byId(`valve-${name}`), angle = 90 * (name === "f" ? 1 - open : open); // along its pipe: open
      valve.querySelector(".blade").setAttribute("d", "M-17 0H17");
      valve.querySelector(".blade").setAttribute("transform", `rotate(${angle})`);
      valve.style.setProperty("--open", open);
    }
    const width = (value) => 2 + 9 * Math.min(1, Math.abs(value) / scale);
    const scale = Math.max(...data.parts.c[unit].map(Math.abs), 1e-6);
    byId("pipe-before").style.strokeWidth = width(before);
    byId("pipe-kept").style.strokeWidth = width(at("f") * before);
    byId("pipe-after").style.strokeWidth = width(at("c"));
    byId("pipe-new").style.strokeWidth = width(at("i") * at("g"));
    byId("pipe-out").style.strokeWidth = width(at("o") * Math.tanh(at("c")));
    say("before", `memory before ${digits(before)}`); say("after", `memory after ${digits(at("c"))}`);
    say("f", `forget ${digits(at("f"))}`); say("i", `input ${digits(at("i"))}`); say("o", digits(at("o")));
    say("g", `candidate ${digits(at("g"))}`); say("h", `output h = ${digits(at("h"))}`);
    say("x", `reads x = ${digits(data.x[step][0])}`); say("last", `and its outputs of the step before`);
    byId("diagram-words").textContent = `Forget gate ${digits(at("f"))}, input gate ${digits(at("i"))}, output gate ${digits(at("o"))}: `
      + `the memory goes from ${digits(before)} to ${digits(at("c"))}, the output is ${digits(at("h"))}`;
  }

  // ── gradient × input ──────────────────────────────────────────────────────────────────────────────────────────
  function influence() {
    const lags = times.map((_, t) => last - t), traces = data.inputs.map((name, k) => ({ type: "bar", x: lags,
      y: data.influence[name][ahead], name: plain(name), marker: { color: colorAt(k) }, hovertemplate: `${plain(name)} %{y:.3g}<extra></extra>` }));
    traces.push({ x: lags, y: data.around[ahead], mode: "lines", line: { color: theme().history, width: 1.5, dash: "dot" },
      hovertemplate: "not through the LSTM %{y:.3g}<extra></extra>" });
    legend("influence", [...data.inputs.map((label, k) => ({ label, color: colorAt(k), look: "area" })),
      { label: "not through the LSTM", color: theme().history, look: "dash" }]);
    buttons("influence", [{ labels: data.forecast.length > 1 ? ["mean of the horizon", "first step ahead", "last step ahead"] : ["the step ahead"],
      chosen: ahead, choose: (i) => { ahead = i; influence(); } }]);
    draw("influence", traces, { barmode: "relative", dragmode: false, xaxis: ruler({ title: title("lag (0: the newest row)"), autorange: "reversed" }),
      yaxis: ruler({ showgrid: true, zeroline: true, zerolinecolor: theme().rule }) });
  }

  // ── moving ────────────────────────────────────────────────────────────────────────────────────────────────────
  const inStep = () => { four(); diagram(); };
  function go(to, of = unit) {
    step = Math.min(last, Math.max(0, to));
    unit = Math.min(data.units.length - 1, Math.max(0, of));
    slider.value = step;
    picker.value = unit;
    byId("step-words").textContent = `${data.text[step]}: ${amount(data.value[step])}`;
    Plotly.relayout("maps", { shapes: shapes() });
    inStep();
  }
  function play(on) {
    clearInterval(playing);
    playing = on ? setInterval(() => (step === last ? play(false) : go(step + 1)), 400) : 0;
    byId("play").setAttribute("aria-pressed", String(on));
    byId("play").textContent = on ? "Stop" : "Play";
    if (on && step === last) go(0);
  }
  slider.oninput = () => go(Number(slider.value));
  picker.onchange = () => go(step, Number(picker.value));
  byId("step-before").onclick = () => go(step - 1);
  byId("step-after").onclick = () => go(step + 1);
  byId("play").onclick = () => play(!playing);
  addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-last, 0], End: [last, 0] };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
    if (move[1] && !byId("look").contains(event.target)) return; // up and down scroll the page elsewhere
    event.preventDefault();
    go(step + move[0], unit + move[1]);
  });
  byId("maps").tabIndex = 0;

  show(maps, influence, () => go(step));
})();
