// What report/reasons.py says at these prices, in the same words.

const LEAST_COST = 0.01;
const CENT = 0.01;
const overYears = (years) => (years === 1 ? "over a year" : `over ${years} years`);
const moreOrLess = (amount, currency) =>
  `${words.money(Math.abs(amount), currency)} ${amount >= 0 ? "more" : "less"}`;
const totalCost = (candidate) => candidate.costs.reduce((sum, cost) => sum + (cost.present_value ?? 0), 0);
const named = (path) => (["cost_matrix", "value_matrix", "value_fn"].includes(path) ? `multiple of ${path}` : path);

const worthOfPredictions = (best, currency, years) => {
  if (best.npv.estimate === null) return "";
  const worth = best.npv.estimate + totalCost(best);
  const told = Math.abs(worth) < CENT / 2 ? "the same" : moreOrLess(worth, currency);
  return `At these prices its predictions are worth ${told} ${overYears(years)}.`;
};

const extraCosts = (best, currency, years) => {
  const parts = best.costs.filter((cost) => cost.present_value);
  if (!parts.length) return "None of its costs is priced, or differs.";
  const largest = Math.max(...parts.map((cost) => Math.abs(cost.present_value)));
  const told = parts.filter((cost) => Math.abs(cost.present_value) >= LEAST_COST * largest)
    .map((cost) => `${cost.name} ${words.money(cost.present_value, currency)}`);
  return `It costs ${moreOrLess(totalCost(best), currency)} ${overYears(years)} (${told.join(", ")}).`;
};

const turn = (tornado) => {
  const bar = tornado.find((one) => one.flips);
  if (!bar) return "No input alone changes the verdict.";
  if (bar.low === null || bar.high === null) return `The verdict changes with ${bar.input} alone, within what was measured.`;
  const [low, high] = [bar.low, bar.high].map((end) => words.number(end));
  return `The verdict changes with ${named(bar.input)} alone, between ${low} and ${high}.`;
};

const fromVolume = (best) => {
  const volume = best.break_even_predictions_per_year;
  if (volume === null) return `By the estimate, more predictions a year do not make it pay${best.npv.estimate > 0 ? " more" : ""}.`;
  if (volume === 0) return "By the estimate, it pays with any number of predictions a year.";
  return `By the estimate, it pays from ${words.humanised(volume)} predictions a year on.`;
};

const whatDecides = (best) => {
  if (best.outlook === null) {
    const few = { 1: "one seed gives", 2: "two seeds give" }[best.seeds] ?? "so few test items of a class give";
    return `How sure that is cannot be told: ${few} no interval. ${fromVolume(best)}`;
  }
  const chance = best.outlook.probability_worth_it;
  const told = chance > 0.995 ? "over 99 %" : chance < 0.005 ? "under 1 %" : words.percent(chance, 0);
  return `The chance that it is worth it is ${told}. ${turn(best.outlook.tornado)} ${fromVolume(best)}`;
};

// The three, as pairs of what was measured and what holds at these prices.
const reasonsAt = (best, measured, currency, years) => [
  [measured[0], worthOfPredictions(best, currency, years)],
  [measured[1], extraCosts(best, currency, years)],
  [measured[2], whatDecides(best)],
];
