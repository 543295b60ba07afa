"use strict";
// What the pages share. A page adds its state, draws by the functions below, and calls show() with its drawings.
const data = JSON.parse(document.getElementById("report-data").textContent);
const byId = (id) => document.getElementById(id);
const darkMode = matchMedia("(prefers-color-scheme: dark)");
const touch = matchMedia("(pointer: coarse), (max-width: 600px)");
const state = { series: 0, off: new Set(), printing: false };

// ── colours ─────────────────────────────────────────────────────────────────────────────────────────────────────────
const LIGHT = { ink: "#1b1d22", soft: "#5b606b", line: "#e9e9e4", rule: "#b9bab3", panel: "#ffffff", history: "#3d424d",
  accent: "#2f4fd0", good: "#0b6b4f", others: ["#c2540a", "#0b7f6b", "#a3237f", "#8a6d00", "#5f6673", "#0077a8", "#b3273a", "#5b3fa8"] };
const DARK = { ink: "#e9eaee", soft: "#a2a8b5", line: "#262a34", rule: "#4a5060", panel: "#191c23", history: "#c3c8d3",
  accent: "#93a8ff", good: "#5fd0a5", others: ["#ff9d5c", "#4fd1b8", "#f08bd0", "#e0c04c", "#9aa3b5", "#5cc3f2", "#ff8a96", "#b9a2ff"] };
const theme = () => (darkMode.matches && !state.printing ? DARK : LIGHT);
const faded = (hex, alpha) => `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${alpha})`;
// the colour of the model at this place, the one that the page is about at 0
const colorAt = (i) => (i === 0 ? theme().accent : theme().others[(i - 1) % theme().others.length]);
const ordered = (first, names) => [first, ...names.filter((name) => name !== first)];

// ── small helpers ───────────────────────────────────────────────────────────────────────────────────────────────────
// plotly reads a little HTML in its texts; names from the data must not be read so
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const unpack = (time) => time.at || Array.from({ length: time.count }, (_, i) => time.start + i * time.step);
const element = (tag, fields = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
};

// ── layout ──────────────────────────────────────────────────────────────────────────────────────────────────────────
const font = (size = innerWidth < 600 ? 11 : 12.5) => ({ family: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  size, color: theme().soft });
const axis = (extra) => ({ gridcolor: theme().line, zeroline: false, linecolor: theme().rule, tickcolor: theme().rule,
  automargin: true, showline: false, ticks: "", ...extra });
const ruler = (extra) => axis({ showgrid: false, showline: true, ticks: "outside", ticklen: 4, ...extra });
// `of` says whether times are numbers and how they are written
const timeRuler = (of, extra) => ruler({ type: of.numeric ? "linear" : "date", nticks: innerWidth < 600 ? 6 : 9,
  hoverformat: of.hover || undefined, ...extra });
const title = (text, standoff = 6) => ({ text: plain(text), standoff, font: font() });
const layout = (extra) => ({ font: font(), paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
  margin: { l: 8, r: 12, t: 14, b: 8 }, hovermode: "x unified", dragmode: touch.matches ? false : "zoom",
  hoverlabel: { bgcolor: theme().panel, bordercolor: theme().rule, font: { ...font(), color: theme().ink }, align: "left" },
  ...extra });
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset", scrollZoom: false, showTips: false };
// paper has no window to fit: A4 and Letter leave about 690 px between the margins
const paper = (box) => (state.printing ? { width: box.closest(".pair") ? 310 : 655, height: box.matches(".tall") ? 300 : 240 } : {});

// `height` in px, where the style does not give it
function draw(id, traces, shape, height) {
  const box = byId(id), size = { ...paper(box), ...(height && { height }) };
  box.style.height = size.height ? `${size.height}px` : "";
  Plotly.react(box, traces, { ...layout(shape), ...size, autosize: !state.printing }, CONFIG);
}
const describe = (id, text) => byId(id).setAttribute("aria-label", text);
const verticals = (places) => places.map((x) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", layer: "below",
  line: { color: theme().rule, width: 1, dash: "dot" } }));

// a band between two lines; where values are missing it is broken into several
function band(x, low, high, color, alpha) {
  const parts = [[]];
  x.forEach((_, i) => {
    if (x[i] === null || low[i] === null || high[i] === null) parts.push([]); else parts.at(-1).push(i);
  });
  const xs = [], ys = [];
  for (const rows of parts.filter((part) => part.length)) {
    const back = [...rows].reverse();
    if (xs.length) { xs.push(null); ys.push(null); }
    xs.push(...rows.map((i) => x[i]), ...back.map((i) => x[i]), x[rows[0]]);
    ys.push(...rows.map((i) => high[i]), ...back.map((i) => low[i]), high[rows[0]]);
  }
  return { type: "scatter", mode: "lines", x: xs, y: ys, fill: "toself", fillcolor: faded(color, alpha), line: { width: 0 },
    hoverinfo: "skip" };
}

// ── legends and buttons ─────────────────────────────────────────────────────────────────────────────────────────────
// an item with a key is a button that hides and shows its line
function legend(id, items) {
  byId(`${id}-legend`).replaceChildren(...items.map(({ label, color, look = "", key, opacity = 1 }) => {
    const swatch = element("i", { className: look });
    if (look === "area" || look === "dot full") swatch.style.background = color;
    if (look !== "area") swatch.style.borderColor = color;
    swatch.style.opacity = opacity === 1 ? "" : opacity;
    if (!key) return element("span", { className: "item" }, swatch, label);
    const button = element("button", { type: "button" }, swatch, label);
    button.setAttribute("aria-pressed", String(!state.off.has(key)));
    button.onclick = () => {
      if (!state.off.delete(key)) state.off.add(key);
      redraw();
      [...document.querySelectorAll(`#${id}-legend button`)].find((other) => other.textContent === label)?.focus();
    };
    return button;
  }));
}

// groups of buttons, one of each group pressed; a group of one is left out. choose(i) also draws what changes
function buttons(id, groups) {
  const shown = groups.filter(({ labels }) => labels.length > 1);
  byId(`${id}-controls`).replaceChildren(...shown.flatMap(({ labels, chosen, choose }, k) => [
    ...(k ? [element("span", { className: "gap" })] : []),
    ...labels.map((label, i) => {
      const button = element("button", { type: "button", textContent: label });
      button.setAttribute("aria-pressed", String(i === chosen));
      button.onclick = () => {
        choose(i);
        [...byId(`${id}-controls`).querySelectorAll("button")].find((other) => other.textContent === label).focus();
      };
      return button;
    })]));
}

// ── everything ──────────────────────────────────────────────────────────────────────────────────────────────────────
const drawings = [];
function redraw() {
  for (const drawing of drawings) {
    try { drawing(); } catch (error) { byId("trouble").hidden = false; console.error(error); }
  }
}

// draw the page, and again when colours or width change and for paper
function show(...all) {
  drawings.push(...all);
  darkMode.addEventListener("change", redraw);
  touch.addEventListener("change", redraw);
  addEventListener("beforeprint", () => {
    state.printing = true;
    document.querySelectorAll("details").forEach((box) => { box.dataset.was = box.open; box.open = true; });
    redraw();
  });
  addEventListener("afterprint", () => {
    state.printing = false;
    document.querySelectorAll("details").forEach((box) => { box.open = box.dataset.was === "true"; });
    redraw();
  });
  redraw();
}
