// Writes what an appraisal says into the page, in the words that the page was made with.

const MOST_BARS = 12;
const NARROWEST = 0.01;

const element = (name, attributes = {}, ...content) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
};
const badge = (word) => {
  const name = word.replaceAll("'", "").replaceAll(" ", "-");
  return document.querySelector("#badges").content.querySelector(`.badge-${name}`).cloneNode(true);
};
const verdictWord = (candidate) =>
  candidate && !candidate.deployable ? "not deployable" : candidate?.verdict ?? "no verdict";
// What stands in a cell: something, and what explains it below.
const cell = (main, below) => (below ? [main, " ", element("span", { class: "below" }, below)] : [main]);

const costCell = (cost, currency) => {
  if (!cost) return cell(words.MISSING);
  return cost.present_value === null ? cell(cost.source) : cell(words.money(cost.present_value, currency), cost.source);
};
const CELLS = {
  verdict: (c) => cell(badge(verdictWord(c))),
  npv: (c, currency) => cell(words.money(c.npv.estimate, currency), words.moneyInterval(c.npv_together, currency)),
  roi: (c) => cell(words.returnOnInvestment(c)),
  payback_years: (c) => cell(words.years(c.payback_years)),
  discounted_payback_years: (c) => cell(words.years(c.discounted_payback_years)),
  break_even_predictions_per_year: (c) => cell(words.humanised(c.break_even_predictions_per_year)),
  break_even_error_price: (c) => cell(words.number(c.break_even_error_price)),
  break_even_compute_price: (c) => cell(words.number(c.break_even_compute_price)),
  reason: (c) => cell(c.reason),
  probability_worth_it: (c) => cell(words.percent(c.outlook?.probability_worth_it ?? null)),
  perfect_information: (c, currency) => cell(words.money(c.outlook?.perfect_information ?? null, currency)),
};
const cellFor = (key, candidate, currency) => {
  if (key.startsWith("costs.")) return costCell(candidate.costs.find((cost) => `costs.${cost.name}` === key), currency);
  return CELLS[key]?.(candidate, currency);
};

const writeCells = (candidates, currency) => {
  for (const td of document.querySelectorAll(".scroll:not([data-static]) td[data-row][data-key]")) {
    const candidate = candidates[td.dataset.row];
    const content = candidate && cellFor(td.dataset.key, candidate, currency);
    if (content) td.replaceChildren(...content);
  }
};

// As the page's own row heads, which a narrow column may break where their parts end.
const breakable = (name) => name.split(/(?<=[._/])(?=[^\d\s])/).flatMap((part, index) => (index ? [element("wbr"), part] : [part]));
// Cells keep the keys by which their formulas are found.
const row = (head, keys, cells, holds) => element("tr", {}, element("th", { scope: "row" }, ...breakable(head)), ...cells.map(
  (content, i) => element("td", { class: holds, "data-row": head, "data-key": keys[i] }, ...content)));
const writeTable = (table, caption, rows) => {
  table.querySelector("caption span").textContent = caption;
  table.closest(".scroll").setAttribute("aria-label", caption);
  table.tBodies[0].replaceChildren(...rows);
};

const width = (bar) => Math.abs(bar.npv_at_high - bar.npv_at_low);
const end = (value) => (value === null ? "as measured" : `at ${words.number(value)}`);
const writeTornado = (table, name, tornado, currency) => {
  const bars = tornado.slice(0, MOST_BARS).filter((bar, _, all) => bar.flips || width(bar) >= NARROWEST * width(all[0]));
  const rows = bars.map((bar) => row(named(bar.input), ["npv_at_low", "npv_at_high", "flips"], [
    cell(words.money(bar.npv_at_low, currency), end(bar.low)),
    cell(words.money(bar.npv_at_high, currency), end(bar.high)),
    cell(bar.flips ? "yes" : "no"),
  ], "numbers"));
  writeTable(table, `What the worth of ${name} depends on, the widest first`, rows);
};

const writeGrid = (table, name, grid, errorPrice, currency) => {
  const prices = grid.error_prices.map((price) => element("th", { scope: "col", class: "words" }, words.number(price)));
  const heads = table.tHead.rows[0];
  heads.replaceChildren(heads.cells[0], ...prices);
  const keys = grid.error_prices.map((price) => `grid@${Number(price.toPrecision(12))}`);
  const rows = grid.volumes.map((volume, i) => row(words.humanised(volume), keys, grid.npv[i].map((npv, j) =>
    cell(badge(grid.verdicts[i][j]), words.money(npv, currency))), "words"));
  writeTable(table, `${name} by predictions a year (down) and ${named(errorPrice)} (across)`, rows);
};

const writeOutlook = (name, outlook, errorPrice, currency) => {
  const [tornado, grid] = ["table-tornado", "table-break-even"].map((id) => document.getElementById(id));
  if (tornado && outlook) writeTornado(tornado, name, outlook.tornado, currency);
  if (grid && outlook) writeGrid(grid, name, outlook.grid, errorPrice, currency);
};

// Captions and notes name the horizon too.
const writeHorizon = (years) => {
  const told = years === 1 ? "1 year" : `${years} years`;
  const scroll = document.querySelector("[data-key=npv]").closest(".scroll");
  const caption = scroll.querySelector("caption span");
  for (const node of [caption, scroll.nextElementSibling]) {
    if (node) node.textContent = node.textContent.replace(/\b(over|within) \d+ years?/g, `$1 ${told}`);
  }
  scroll.setAttribute("aria-label", caption.textContent);
};

const writeHeader = (result, study, measured, currency, years) => {
  const best = result.candidates[result.best];
  const word = verdictWord(best);
  document.title = `${study}: ${word} – cropworth`;
  document.querySelector(".verdict .badge").replaceWith(badge(word));
  document.getElementById("headline").textContent = result.headline;
  if (!best) return;
  reasonsAt(best, measured[result.best], currency, years).forEach(([first, priced], index) => {
    const item = document.getElementById(`reason-${index + 1}`);
    item.replaceChildren(`${first} `, element("span", { class: "priced" }, priced));
  });
};
