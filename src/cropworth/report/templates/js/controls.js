// The fields of prices: what a reader sets in them appraises the study anew.

const $ = (id) => document.getElementById(id);
const readJson = (id) => JSON.parse($(id).textContent);
const model = readJson("what-if");
const { economics, study, measured, fields: every } = readJson("controls");
const { currency, error_price: errorPrice } = model;
const fields = new Map(every.map((field) => [field.path, field]));
const parts = new Map([...document.querySelectorAll(".field")].map((node) => [node.dataset.path, {
  node,
  slider: node.querySelector("[type=range]"),
  input: node.querySelector("[type=text]"),
  own: node.querySelector(".own"),
  error: node.querySelector(".error"),
}]));
let scenario = new Map();
let verdictSaid = verdictNow();

// Sliders: by magnitudes a step is a hundredth of one, and the middle is the study's own price.

const STEPS = 100;
function toSlider(field, number) {
  if (field.linear) return inField(field, number);
  return number > 0 ? Math.round(STEPS * Math.log10(number / field.middle)) : -STEPS;
}
function fromSlider(field, position) {
  if (field.linear) return outOfField(field, position);
  if (position === 0) return field.middle;
  return Number((field.middle * 10 ** (position / STEPS)).toPrecision(3));
}
function limits(field) {
  if (field.linear) return field.linear;
  const most = Math.floor(STEPS * Math.log10(field.most / field.middle));
  return [-STEPS, Math.min(STEPS, most), 1];
}

const numberOf = (path) => scenario.get(path) ?? ownNumber(fields.get(path));
const withUnit = (field, number) => `${shown(field, number)} ${field.times ? "times" : field.unit}`.trim();

function set(path, number) {
  const field = fields.get(path);
  scenario = differing(new Map([...scenario, [path, number]]), fields);
  showField(field, parts.get(path));
  appraiseSoon();
}

// The text that a reader is typing in is left alone.
function showField(field, { node, slider, input, own, error }) {
  const number = numberOf(field.path);
  const changed = scenario.has(field.path);
  if (input !== document.activeElement) input.value = shown(field, number);
  if (slider !== document.activeElement) slider.value = toSlider(field, number);
  slider.setAttribute("aria-valuetext", withUnit(field, number));
  node.toggleAttribute("data-changed", changed);
  own.hidden = !changed || field.times;
  own.textContent = `In the study: ${withUnit(field, ownNumber(field))}.`;
  error.hidden = true;
  input.removeAttribute("aria-invalid");
  if (changed && node.closest("details")) node.closest("details").open = true;
}
function showFields() {
  for (const [path, part] of parts) showField(fields.get(path), part);
}

function refuse(field, { input, error }) {
  error.textContent = `Write ${field.allowed}${field.whole ? "" : ", with a point before decimals"}.`;
  error.hidden = false;
  input.setAttribute("aria-invalid", "true");
  say(error.textContent);
}

for (const [path, part] of parts) {
  const field = fields.get(path);
  [part.slider.min, part.slider.max, part.slider.step] = limits(field);
  part.slider.addEventListener("input", () => set(path, fromSlider(field, Number(part.slider.value))));
  part.slider.addEventListener("change", () => keepInAddress(path));
  const typed = () => readNumber(part.input.value);
  const meant = () => (typed() === null ? null : outOfField(field, typed()));
  part.input.addEventListener("input", () => { if (isAllowed(field, meant())) set(path, meant()); });
  // While someone types, a number may be half a number: only what is left there can be wrong.
  part.input.addEventListener("change", () => {
    if (!isAllowed(field, meant())) return refuse(field, part);
    part.input.value = shown(field, numberOf(path));
    return keepInAddress(path);
  });
}

// The page at these prices.

let waiting = 0;
function appraiseSoon() {
  waiting ||= requestAnimationFrame(() => { waiting = 0; appraiseNow(); });
}
function appraiseNow() {
  const prices = Object.fromEntries([...scenario].map(([path, number]) => [path, priceAt(fields.get(path), number)]));
  const result = appraise(model, prices);
  const years = numberOf("horizon_years");
  writeHeader(result, study, measured, currency, years);
  writeCells(result.candidates, currency);
  writeHorizon(years);
  writeOutlook(result.best, result.candidates[result.best]?.outlook, errorPrice, currency);
  showScenario(result);
  sayVerdict(result.headline);
  document.dispatchEvent(new CustomEvent("appraised", { detail: { result, prices, changed: scenario.size > 0 } }));
}
function showScenario(result) {
  const best = result.candidates[result.best];
  document.documentElement.toggleAttribute("data-prices", false);
  if (scenario.size) document.documentElement.dataset.prices = "changed";
  $("scenario").hidden = scenario.size === 0;
  $("copied").hidden = true;
  $("changed").textContent = `Your prices: ${scenario.size} changed.`;
  if (!best) return;
  const ends = words.moneyInterval(best.npv_together, currency);
  const worth = `${result.best}: NPV ${words.money(best.npv.estimate, currency)}${ends ? ` (${ends})` : ""}`;
  $("at-your-prices").replaceChildren(badge(verdictWord(best)), ` ${worth}`);
}

function say(sentence) {
  $("said").textContent = sentence;
}
function verdictNow() {
  return document.querySelector(".verdict").textContent.trim();
}
// A slider that moves would say each number; only another verdict is worth an interruption.
function sayVerdict(headline) {
  if (verdictNow() !== verdictSaid) say(headline);
  verdictSaid = verdictNow();
}

// The address holds the scenario, so that a link carries it and going back undoes it.

// Moving one price on and on is one step of the history.
let movedLast = null;
function keepInAddress(path) {
  const fragment = toFragment(scenario, fields);
  if (fragment === location.hash) return;
  const address = fragment || location.pathname + location.search;
  history[path === movedLast ? "replaceState" : "pushState"](null, "", address);
  movedLast = path;
}
function readAddress() {
  const found = fromFragment(location.hash, fields);
  if (!found) return;
  const before = toFragment(scenario, fields);
  movedLast = null;
  scenario = found.scenario;
  $("ignored").hidden = found.ignored.length === 0;
  $("ignored").textContent = `Ignored in the link: ${found.ignored.join("; ")}.`;
  if (found.ignored.length) say($("ignored").textContent);
  showFields();
  if (toFragment(scenario, fields) !== before) appraiseSoon();
}
addEventListener("hashchange", readAddress);

$("reset").addEventListener("click", () => {
  scenario = new Map();
  showFields();
  keepInAddress("");
  appraiseNow();
  say("The study’s own prices are set again.");
  parts.values().next().value.input.focus({ preventScroll: true });
});

// Copies where the browser lets it, and always shows what it copied: some browsers refuse a page that is a file.

async function copy(text, how) {
  $("copy-text").value = text;
  $("copied").hidden = false;
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  $("how-to-use").textContent = copied ? `Copied. ${how}` : `Copy this text. ${how}`;
  if (!copied) $("copy-text").select();
  say($("how-to-use").textContent);
}
$("copy-yaml").addEventListener("click", () => copy(
  `${yamlLines({ economics: economicsAt(economics, scenario, fields) }).join("\n")}\n`,
  "Keep it in a file, and appraise by it: cropworth appraise DIR --economics FILE",
));
$("copy-link").addEventListener("click", () => copy(
  location.href.split("#")[0] + toFragment(scenario, fields),
  "The link opens this page, where it lies now, at your prices.",
));

$("prices-form").addEventListener("submit", (event) => event.preventDefault());
$("unscripted").hidden = true;
$("prices-form").hidden = false;
showFields();
readAddress();
// The first time is several times as slow, while the browser compiles: not when somebody moves a price.
(globalThis.requestIdleCallback ?? setTimeout)(() => { for (let i = 0; i < 3; i++) appraise(model, {}); });
