// A scenario: the prices that a reader set, as a Map from path to number, of a guess to what it is multiplied by.

const ownNumber = (field) => (field.times ? 1 : field.price);

// Moves the decimal point in the text, for 0.07 * 100 is not 7.
const shifted = (number, places) => {
  const [digits, exponent = "0"] = String(number).split("e");
  return Number(`${digits}e${Number(exponent) + places}`);
};
const inField = (field, number) => (field.percent && !field.times ? shifted(number, 2) : number);
const outOfField = (field, number) => (field.percent && !field.times ? shifted(number, -2) : number);
const shown = (field, number) =>
  inField(field, number).toLocaleString("en-US", { maximumSignificantDigits: 17, maximumFractionDigits: 20 });

const GROUPED = /^-?[1-9]\d{0,2}([,\s_]\d{3})+(\.\d*)?$/;
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
// What a person wrote; null where it is no number. A comma is only taken where it parts thousands.
const readNumber = (text) => {
  const plain = text.trim().replace(/\u2212/g, "-").replace(/\s*%$/, "");
  const digits = GROUPED.test(plain) ? plain.replace(/[,\s_]/g, "") : plain;
  return NUMBER.test(digits) ? Number(digits) : null;
};
const isAllowed = (field, number) =>
  number !== null && number >= field.least && number <= field.most && (!field.whole || Number.isInteger(number));

const priceAt = (field, number) => {
  if (!field.times || typeof field.price === "number") return number;
  return Object.fromEntries(Object.entries(field.price).map(([end, price]) => [end, price * number]));
};

// In the link: only what differs, in the economics' units; what a guess is multiplied by with an x before it.
const shortest = (number) => {
  const exponential = number.toExponential().replace("e+", "e");
  return exponential.length < String(number).length ? exponential : String(number);
};
const toFragment = (scenario, fields) => {
  const parts = [...scenario].map(([path, number]) =>
    `${encodeURIComponent(path)}:${fields.get(path).times ? "x" : ""}${shortest(number)}`);
  return parts.length ? `#p=${parts.join(",")}` : "";
};

const decoded = (text) => {
  try { return decodeURIComponent(text); } catch { return text; }
};
// [path, number] of one part of a link, or [null, why it is ignored].
const readPart = (part, fields) => {
  const [path, text = ""] = part.split(":").map(decoded);
  const field = fields.get(path);
  if (!field) return [null, `“${path}” is no price of this page`];
  if (field.locked) return [null, `${path} cannot be set in this page`];
  const number = readNumber(field.times ? text.replace(/^x/, "") : text);
  return isAllowed(field, number) ? [path, number] : [null, `“${text}” is not allowed for ${path}`];
};
// The scenario of a link, and what of it is ignored, in words; null where the link says nothing of prices.
const fromFragment = (fragment, fields) => {
  if (fragment !== "" && !fragment.startsWith("#p=")) return null;
  const parts = fragment.slice(3).split(",").filter(Boolean).map((part) => readPart(part, fields));
  const [good, bad] = [parts.filter(([path]) => path !== null), parts.filter(([path]) => path === null)];
  return { scenario: differing(new Map(good), fields), ignored: bad.map(([, why]) => why) };
};
const differing = (scenario, fields) =>
  new Map([...scenario].filter(([path, number]) => number !== ownNumber(fields.get(path))));

// The study's economics with the scenario's prices.
const economicsAt = (economics, scenario, fields) => {
  const changed = structuredClone(economics);
  for (const [path, number] of scenario) {
    const field = fields.get(path);
    const keys = [...field.keys];
    const last = keys.pop();
    const place = keys.reduce((inner, key) => (inner[key] ??= {}), changed);
    const whole = field.times && typeof field.price === "number";
    place[last] = whole ? multiplied(place[last], number) : priceAt(field, number);
  }
  return changed;
};
// A matrix's entries that are numbers; guesses in it have fields of their own.
const multiplied = (matrix, factor) => {
  if (typeof matrix === "number") return matrix * factor;
  if (Array.isArray(matrix)) return matrix.map((inner) => multiplied(inner, factor));
  const isGuess = "mode" in matrix && Object.values(matrix).every((inner) => typeof inner === "number");
  if (isGuess) return matrix;
  return Object.fromEntries(Object.entries(matrix).map(([key, inner]) => [key, multiplied(inner, factor)]));
};
