"use strict";
(() => {
  Object.assign(state, { layer: 0, threshold: 0 });

  // ── maps ──────────────────────────────────────────────────────────────────────────────────────────────────────
  // a slider with a play button; show(i) puts frame i on the page
  function player(id, count, first, show) {
    const slider = byId(`${id}-time`), button = byId(`${id}-play`);
    let timer = null;
    const go = (i) => { slider.value = i; show(Number(slider.value)); };
    const stop = () => { clearInterval(timer); timer = null; button.textContent = "▶ Play"; button.setAttribute("aria-label", "Play"); };
    slider.max = count - 1;
    slider.oninput = () => { stop(); show(Number(slider.value)); };
    button.onclick = () => {
      if (timer) { stop(); return; }
      button.textContent = "❚❚ Pause"; button.setAttribute("aria-label", "Pause");
      timer = setInterval(() => go((Number(slider.value) + 1) % count), matchMedia("(prefers-reduced-motion: reduce)").matches ? 1200 : 350);
    };
    go(first);
    return () => show(Number(slider.value));
  }

  const names = Object.keys(data.map.layers), past = data.map.past.length;
  function frame(i) {
    const layer = names[state.layer], ahead = i >= past;
    byId("map").src = ahead ? data.map.layers[layer][i - past] : data.map.past[i];
    byId("map").alt = `${ahead ? layer : "observed rain"}, ${data.map.times[i]}`;
    byId("map-clock").textContent = `${data.map.times[i]} (${data.map.ahead[i]})`;
    byId("key-rate").hidden = ahead && state.layer > 0;
    byId("key-chance").hidden = !byId("key-rate").hidden;
  }
  const again = player("map", data.map.times.length, past - 1, frame);
  const layers = () => buttons("map", [{ labels: names, chosen: state.layer, choose: (i) => { state.layer = i; layers(); again(); } }]);
  layers();
  if (data.example) {
    player("example", data.example.times.length, Math.min(5, data.example.times.length - 1), (i) => {
      byId("observed").src = data.example.observed[i];
      byId("forecast").src = data.example.forecast[i];
      byId("example-clock").textContent = `${data.example.times[i]} (${data.example.ahead[i]})`;
    });
  }

  // ── scores ────────────────────────────────────────────────────────────────────────────────────────────────────
  const models = () => ordered(data.scores.chosen, data.scores.models);
  const legendOf = (id) => legend(id, models().map((name, i) => ({ label: name, key: name, color: colorAt(i) })));
  const visible = () => models().map((name, i) => [name, i]).filter(([name]) => !state.off.has(name));
  const ratio = (extra) => axis({ rangemode: "tozero", nticks: 6, ...extra });

  function drawScore(id, score) {
    const thresholds = Object.keys(data.scores.thresholds).sort((a, b) => a - b), lines = data.scores.thresholds[thresholds[state.threshold]];
    draw(id, visible().filter(([name]) => lines[name]).map(([name, i]) => ({ type: "scatter", mode: "lines+markers", x: lines[name].minutes, y: lines[name][score],
      name: plain(name), line: { color: colorAt(i), width: i ? 1.6 : 2.6 }, hovertemplate: `<b>%{y:.3f}</b> ${plain(name)}<extra></extra>` })),
    { xaxis: ruler({ title: title("minutes ahead"), nticks: 8 }), yaxis: ratio() });
    legendOf(id);
    buttons(id, [{ labels: thresholds.map((one) => `${one} mm/h`), chosen: state.threshold, choose: (i) => { state.threshold = i; redraw(); } }]);
    describe(id, `${score} by minutes ahead at ${thresholds[state.threshold]} mm/h`);
  }

  function drawReliability() {
    const found = data.scores.reliability;
    draw("reliability", [{ type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], line: { color: theme().rule, width: 1.5, dash: "dash" }, hoverinfo: "skip" },
      ...visible().filter(([name]) => found[name]).map(([name, i]) => ({ type: "scatter", mode: "lines+markers", x: found[name].said, y: found[name].came, name: plain(name),
        line: { color: colorAt(i), width: i ? 1.6 : 2.6 }, hovertemplate: `said %{x:.0%}, came <b>%{y:.0%}</b> ${plain(name)}<extra></extra>` }))],
    { hovermode: "closest", xaxis: ruler({ title: title("probability said"), tickformat: ".0%", range: [0, 1] }), yaxis: ratio({ title: title("share that got rain"), tickformat: ".0%", range: [0, 1] }) });
    legend("reliability", models().filter((name) => found[name]).map((name) => ({ label: name, key: name, color: colorAt(models().indexOf(name)) })));
    describe("reliability", "share of pixels with rain by the probability said");
  }

  show(...(data.scores ? [() => drawScore("csi", "CSI"), () => drawScore("fss", "FSS"), drawReliability] : []));
})();
