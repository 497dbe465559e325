// Every number says how it came about where one points at it, and shows its records where one asks for them.
//
// A table of numbers is a grid: one stop for the Tab key, and arrow keys within, so that a page of hundreds of numbers
// has no more stops than tables. Cells that other prices rewrite are found by their table, never remembered.

const dialog = document.getElementById("trace");
const tip = make("div", { className: "tip", id: "trace-tip", role: "tooltip", hidden: true });
const given = { candidates: {}, best: null, prices: {}, changed: false };
let data, shown, timer;

/** Read when the first number is asked for: most readers never do. */
const read = () => (data ??= JSON.parse(document.getElementById("trace-data").textContent));

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// What is known of a cell

/** Whether the cell has been written anew for prices that a reader has set. */
const isGiven = (cell) => given.changed && !cell.closest("[data-static]");

/** @returns the cell's formula, and whose records at which training-set size (null: at any) stand behind it. */
function subject(cell) {
  const { formulas, baseline, train_size } = read();
  const best = isGiven(cell) ? given.best : read().best;
  const [key, which] = cell.dataset.key.split("@");
  const formula = formulas[key];
  const name = which === "baseline" ? baseline : { row: cell.dataset.row, best, baseline }[formula.of];
  const size = key === "record" ? null : key === "npv" && which ? Number(which) : train_size;
  return { formula, name, size };
}

/** The values that a cell was reckoned with: the study's own, or those of the prices that a reader has set. */
function source(cell, name, size) {
  const own = { candidate: read().candidates[size]?.[name] ?? {}, prices: read().prices };
  if (!isGiven(cell)) return own;
  return { candidate: { ...own.candidate, ...given.candidates[name] }, prices: { ...own.prices, ...given.prices } };
}

function valueOf(symbol, { candidate, prices }) {
  if (symbol.value.startsWith("price:")) return prices[symbol.value.slice("price:".length)];
  const value = symbol.value.split(".").reduce((inner, field) => inner?.[field], candidate);
  return Array.isArray(value) ? value.reduce((sum, cost) => sum + (cost.present_value ?? 0), 0) : value;
}

function inWords(value, unit) {
  if (value === null || value === undefined) return "not known";
  if (typeof value === "object") {
    const [low, mode, high] = [value.low, value.mode, value.high].map((end) => inWords(end, unit));
    return `${low} to ${high}, likeliest ${mode}`;
  }
  if (unit === "money") return words.money(value, read().currency);
  if (unit === "percent") return words.percent(value);
  if (unit === "years") return value === 1 ? "1 year" : `${value} years`;
  return unit === "count" ? words.humanised(value) : words.number(value);
}

/** What a reader points at: a number in a table, or a button beside a sentence. */
const pointed = (target) => target.closest('[role="grid"] [data-key], [data-explains]');

/** The number in a table that it is about: beside a sentence, that of the headline's candidate. */
function numberOf(anchor) {
  if (!anchor.dataset.explains) return anchor;
  const best = given.changed ? given.best : read().best;
  const cells = document.querySelectorAll(`[role="grid"] [data-key="${anchor.dataset.explains}"]`);
  return [...cells].find((cell) => cell.dataset.row === best);
}

// The tooltip

function show(anchor) {
  const { formula } = subject(numberOf(anchor));
  hide();
  shown = anchor;
  tip.replaceChildren(
    make("b", {}, formula.name),
    make("span", { className: "formula" }, formula.formula),
    make("span", {}, formula.says),
    make("span", { className: "hint" }, "Click or Enter: its values and records."),
  );
  tip.hidden = false;
  anchor.setAttribute("aria-describedby", tip.id);
  place();
}

function hide() {
  clearTimeout(timer);
  shown?.removeAttribute("aria-describedby");
  shown = undefined;
  tip.hidden = true;
}

/** Below its cell, or above where there is no room; always within the window. */
function place() {
  if (!shown) return;
  const cell = shown.getBoundingClientRect();
  const { width, height } = tip.getBoundingClientRect();
  const below = cell.bottom + height + 4 < innerHeight;
  tip.style.left = `${Math.max(8, Math.min(cell.right - width, innerWidth - width - 8))}px`;
  tip.style.top = `${Math.max(8, below ? cell.bottom + 2 : cell.top - height - 2)}px`;
}

const later = (act, milliseconds) => {
  clearTimeout(timer);
  timer = setTimeout(act, milliseconds);
};

// The dialog

function open(cell) {
  const found = subject(cell);
  hide();
  const { formula } = found;
  dialog.replaceChildren(
    make("div", {},
      heading(cell, found),
      theNumber(cell),
      make("p", { className: "formula" }, formula.formula),
      make("p", {}, formula.says),
      ...theValues(cell, found),
      ...theRecords(found),
      ...theRounds(found),
      make("p", { className: "note" }, `More: ${formula.page}, “${formula.section}”.`),
    ),
  );
  dialog.showModal();
  dialog.scrollTop = 0;
}

function heading(cell, { formula }) {
  const row = cell.closest("tr").cells[0].textContent.trim();
  const title = make("h2", { id: "trace-title" }, `${formula.name}: ${row}`);
  return make("form", { method: "dialog" }, title, make("button", {}, "Close"));
}

function theNumber(cell) {
  const below = cell.querySelector(".below")?.textContent.trim() ?? "";
  const main = cell.textContent.replace(below, "").trim();
  const column = cell.closest("table").tHead.rows[0].cells[cell.cellIndex].textContent.trim();
  return make("p", { className: "number" }, main, make("small", {}, below ? `${below} (${column})` : column));
}

function theValues(cell, { formula, name, size }) {
  const values = source(cell, name, size);
  const rows = formula.symbols.map((symbol) => [
    symbol.sign,
    symbol.meaning,
    symbol.value ? inWords(valueOf(symbol, values), symbol.unit) : "",
  ]);
  if (!rows.length) return [];
  const prices = isGiven(cell) ? "the prices that are set in this page" : "the study’s own prices";
  return [
    make("h3", {}, "With its values"),
    given.changed ? make("p", {}, `At ${prices}.`) : null,
    table("Symbols and their values", ["symbol", "meaning"], ["value"], rows, "symbols"),
  ].filter(Boolean);
}

function theRecords({ formula, name, size }) {
  const { trials, baseline } = read();
  if (!formula.records.length) return [];
  const own = formula.records.filter((key) => key in trials);
  const variant = (i) => trials.variants[trials.variant[i]];
  const places = [...trials.trial.keys()].filter((i) => size === null || trials.train_size[i] === size);
  const names = formula.against ? [name, baseline] : [name];
  const chosen = names.flatMap((one) => places.filter((i) => variant(i) === one));
  const rows = chosen.map((i) => [
    variant(i),
    trials.train_size[i] ? exact(trials.train_size[i]) : "—",
    String(trials.seed[i]),
    trials.statuses[trials.status[i]],
    make("code", {}, trials.trial[i]),
    ...own.map((key) => exact(trials[key][i], trials.own[key].unit)),
  ]);
  const named = ["variant", "items", "seed", "outcome", "trial"];
  const numbers = own.map((key) => trials.own[key].title);
  return [make("h3", {}, `From ${rows.length} trials`), table("Trials", named, numbers, rows)];
}

function theRounds({ formula, name }) {
  const { rounds, baseline } = read();
  const names = formula.against ? [name, baseline] : [name];
  if (!formula.rounds || !names.every((one) => rounds[one])) return [];
  const rows = rounds[name].map((_, round) => {
    const times = names.map((one) => 1000 * rounds[one][round]);
    return [String(round + 1), ...times, ...(formula.against ? [times[0] - times[1]] : [])];
  });
  const numbers = [...names.map((one) => `${one}, ms an item`), ...(formula.against ? ["difference"] : [])];
  const told = rows.map(([round, ...times]) => [round, ...times.map((time) => exact(time))]);
  return [make("h3", {}, `From ${rows.length} rounds of timing`), table("Rounds of timing", ["round"], numbers, told)];
}

/** All digits that there are, which are few of what was measured. */
function exact(value, unit) {
  if (value === null) return "—";
  const shown = unit === "share" ? 100 * value : value;
  const digits = shown.toLocaleString("en", Number.isInteger(shown) ? {} : { maximumSignificantDigits: 6 });
  return digits.replace("-", "−") + (unit === "share" ? " %" : "");
}

/** A table whose first columns hold words, and the others numbers. */
function table(label, first, numbers, rows, className = "") {
  const kind = (place) => (place < first.length ? "words" : "numbers");
  const head = [...first, ...numbers].map((title, place) => make("th", { scope: "col", className: kind(place) }, title));
  const body = rows.map(([name, ...others]) =>
    make("tr", {},
      make("th", { scope: "row" }, name),
      ...others.map((cell, place) => make("td", { className: kind(place + 1) }, cell))));
  const inner = make("table", { className }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
  return make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: label }, inner);
}

// The grids

const grids = () => [...document.querySelectorAll("main table:has([data-key])")];

/** Let Tab stop at this cell of its table, and at no other. */
function stopAt(cell) {
  for (const other of cell.closest("table").querySelectorAll("[tabindex]")) other.removeAttribute("tabindex");
  cell.tabIndex = 0;
}

function makeGrid(grid) {
  grid.role = "grid";
  grid.closest(".scroll").removeAttribute("tabindex");
  if (!grid.querySelector("[tabindex]")) stopAt(grid.querySelector("[data-key]"));
}

/** The cell that a key leads to from this one; undefined where it leads nowhere. */
function neighbour(cell, key, control) {
  const rows = [...cell.closest("tbody").rows];
  const row = rows.indexOf(cell.parentElement);
  const last = cell.parentElement.cells.length - 1;
  const edge = control ? { Home: rows[0], End: rows.at(-1) }[key] : undefined;
  const [down, place] = {
    ArrowLeft: [0, cell.cellIndex - 1],
    ArrowRight: [0, cell.cellIndex + 1],
    ArrowUp: [-1, cell.cellIndex],
    ArrowDown: [1, cell.cellIndex],
    Home: [0, 0],
    End: [0, last],
  }[key] ?? [0, -1];
  return (edge ?? rows[row + down])?.cells[place];
}

function onKey(event) {
  if (event.key === "Escape") return hide();
  const cell = event.target.closest?.('[role="grid"] tbody :is(td, th)');
  if (!cell || event.target !== cell || event.altKey || event.metaKey) return;
  const next = neighbour(cell, event.key, event.ctrlKey);
  const opens = (event.key === "Enter" || event.key === " ") && cell.dataset.key;
  if (!next && !opens) return;
  event.preventDefault();
  if (opens) return open(cell);
  stopAt(next);
  next.focus();
}

function onPoint(event) {
  if (event.pointerType !== "mouse") return;
  const anchor = pointed(event.target);
  if (anchor && anchor !== shown) later(() => show(anchor), 200);
  else if (anchor || tip.contains(event.target)) clearTimeout(timer);
  else later(hide, 200);
}

function onClick(event) {
  if (event.target === dialog) return dialog.close(); // its only child covers all of it but the backdrop
  const anchor = pointed(event.target);
  if (!anchor || !getSelection().isCollapsed) return;
  if (!anchor.dataset.explains) {
    stopAt(anchor);
    anchor.focus({ preventScroll: true });
  }
  open(numberOf(anchor));
}

function onFocus({ target }) {
  if (target.matches(":focus-visible") && pointed(target) === target) show(target);
  else if (shown && target !== shown) hide();
}

function onAppraised({ detail: { result, prices, changed } }) {
  Object.assign(given, { candidates: result.candidates, best: result.best, prices, changed });
  hide();
  setUp();
}

function setUp() {
  grids().forEach(makeGrid);
  for (const button of document.querySelectorAll("[data-explains]")) {
    button.hidden = !document.querySelector(`[role="grid"] [data-key="${button.dataset.explains}"]`);
  }
}

document.querySelector("main").append(tip);
setUp();
const hint = document.getElementById("trace-hint");
hint.hidden = false;
grids()[0]?.closest(".scroll").before(hint);
document.addEventListener("keydown", onKey);
document.addEventListener("pointerover", onPoint);
document.addEventListener("click", onClick);
document.addEventListener("focusin", onFocus);
document.addEventListener("focusout", () => later(hide, 0));
document.addEventListener("scroll", place, { capture: true, passive: true });
document.addEventListener("appraised", onAppraised);
