"use strict";
(() => {
  const all = data.outcomes, names = all.map(({ name }) => plain(name));

  // one row an experiment, the first on top
  function success() {
    const traces = [
      { type: "bar", orientation: "h", x: all.map(({ published }) => published), y: names, marker: { color: faded(theme().accent, 0.18) },
        hovertemplate: "published mean %{x:,}<extra></extra>", width: 0.55 },
      ...all.map((one, k) => ({ x: one.sequences.map((value) => value ?? one.limit), y: one.sequences.map(() => names[k]), mode: "markers",
        marker: { size: 9, opacity: 0.75, color: one.sequences.map((value) => (value === null ? theme().others[6] : theme().accent)),
          symbol: one.sequences.map((value) => (value === null ? "x" : "circle")) },
        hovertemplate: "%{x:,} sequences<extra></extra>" }))];
    legend("success", [{ label: "a run", color: theme().accent, look: "dot full" }, { label: "published mean", color: theme().accent, look: "area", opacity: 0.3 }]);
    draw("success", traces, { hovermode: "closest", dragmode: false, xaxis: ruler({ showgrid: true, type: "log", title: title("sequences") }),
      yaxis: ruler({ type: "category", autorange: "reversed" }) }, 120 + 46 * all.length);
    describe("success", all.map((one) => `${one.name}: published ${one.published}`).join("; "));
  }

  function curves() {
    legend("curves", all.map(({ name }, k) => ({ label: name, color: colorAt(k), key: name })));
    draw("curves", all.map((one, k) => ({ x: one.at.map((at) => at / one.published), y: one.error, mode: "lines", visible: !state.off.has(one.name),
      line: { color: colorAt(k), width: 1.8 }, hovertemplate: `%{y:.3f} ${plain(one.name)}<extra></extra>` })),
    { hovermode: "closest", xaxis: ruler({ title: title("share of the published mean") }), shapes: verticals([1]),
      yaxis: ruler({ showgrid: true, type: "log", nticks: 6, exponentformat: "power" }) });
  }

  show(success, curves);
})();
