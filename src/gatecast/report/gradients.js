"use strict";
(() => {
  const shade = (k) => colorAt(k);
  const known = (name) => !state.off.has(name);

  // lines on a logarithmic axis; of a pair "…, at the start" and "…, trained" the first is dotted and has the same colour
  function lags(id) {
    const lines = data.lines[id], names = [...new Set(lines.map(({ name }) => name.replace(/, (at the start|trained)$/, "")))];
    const of = (name) => names.indexOf(name.replace(/, (at the start|trained)$/, ""));
    legend(id, names.map((label, k) => ({ label, color: shade(k), key: `${id} ${label}` })));
    draw(id, lines.filter(({ name }) => known(`${id} ${names[of(name)]}`)).map(({ name, norm }) => ({ y: norm, mode: "lines",
      line: { color: shade(of(name)), width: 2, dash: name.endsWith("at the start") ? "dot" : of(name) > 8 ? "dash" : "solid" },
      hovertemplate: `%{y:.2e} ${plain(name)}<extra></extra>` })),
    { hovermode: "closest", xaxis: ruler({ title: title("lag, steps back") }),
      yaxis: ruler({ showgrid: true, type: "log", exponentformat: "power", nticks: 8 }) });
    describe(id, `Norm of the gradient by lag: ${names.join(", ")}`);
  }

  function steps(id, log) {
    const runs = data[id];
    legend(id, runs.map(({ name }, k) => ({ label: name, color: shade(k), key: `${id} ${name}` })));
    draw(id, runs.map(({ name, loss }, k) => ({ y: loss, mode: "lines", visible: known(`${id} ${name}`), line: { color: shade(k), width: 1.8 },
      hovertemplate: `%{y:.3g} ${plain(name)}<extra></extra>` })),
    { xaxis: ruler({ title: title("training step") }), yaxis: ruler({ showgrid: true, type: log ? "log" : "linear", nticks: 6,
      exponentformat: "power" }) });
  }

  show(...["cells", "bias", "radius", "depth", "trained"].map((id) => () => lags(id)),
    () => steps("runs"), () => steps("clipping"), () => steps("norms", true));
})();
