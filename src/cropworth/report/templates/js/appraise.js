// appraise(model, prices): what worth/appraisal.py says of a study at other prices, without its predictions.
//
// `model` is the JSON of worth/what_if.py, `prices` an object of path -> number | {low, mode, high}; what it leaves out is
// the study's own. The result has the names of the appraisal's JSON. No page is needed: it runs in Node as well.
// Before it: distributions.js, words.js, scenario.js, simulation.js. Each defines one name, and this one `appraise`.
const appraise = (() => {
  "use strict";

  const { FEWEST_SEEDS, halfWidth, intervalAround, intervalAt, npv } = scenario;
  const { quantileOfSorted, sorted, tCdf } = distributions;
  const { money } = words;

  // worth/verdict.py

  const OPEN = "not enough evidence";
  const MOST_SEEDS = 1000;
  const POWER = 0.8;

  const judge = ({ low, high }, margin) => {
    if (low === null || high === null) return OPEN;
    if (low > margin) return "adopt";
    if (margin > 0 && -margin <= low && high <= margin) return "equivalent";
    return high < margin ? "don't" : OPEN;
  };

  const chanceOfClear = (estimate, [bySeed, ...others], seeds, then, margin, rates) => {
    const left = seeds / then;
    const half = halfWidth([{ variance: bySeed.variance * left, df: then - 1 }, ...others], rates);
    const off = Math.abs(estimate - margin);
    const spread = Math.sqrt(bySeed.variance * (1 - left));
    if (spread === 0) return Number(off > half);
    return tCdf((off - half) / spread, bySeed.df) + tCdf((-off - half) / spread, bySeed.df);
  };

  const seedsNeeded = (estimate, components, seeds, margin, rates) => {
    for (let then = Math.max(seeds + 1, FEWEST_SEEDS); then <= MOST_SEEDS; then++) {
      if (chanceOfClear(estimate, components, seeds, then, margin, rates) >= POWER) return then;
    }
    return null;
  };

  // worth/sentences.py

  const REASONS = {
    adopt: "The whole interval of its net present value lies above the margin.",
    "don't": "The whole interval of its net present value lies below the margin.",
    equivalent: "The whole interval of its net present value lies within the margin of nothing.",
  };
  const SETTLED = `would settle it with a chance of ${words.count(100 * POWER)} %`;

  const reasonOf = (verdict, seeds, settles) => {
    if (seeds === 0) return "No seed has predictions of both this variant and the baseline.";
    if (verdict === null) return "It needs the true box, which nobody has: it shows the most that a crop could give.";
    if (verdict in REASONS) return REASONS[verdict];
    if (seeds < FEWEST_SEEDS) return `${seeds === 1 ? "One seed gives" : "Two seeds give"} no interval: run at least three.`;
    const open = "The interval of its net present value contains the margin";
    if (settles.seeds_needed !== null) return `${open}; ${settles.seeds_needed} seeds ${SETTLED}.`;
    if (settles.better_prices) return `${open}, for prices that are guesses.`;
    return settles.more_test_items ? `${open}; only more test items would settle it.` : `${open}.`;
  };

  const opening = (best, baseline) => {
    if (best.verdict === "adopt") return `Adopt ${best.name}`;
    if (best.verdict === "don't") return `Don't adopt ${best.name}`;
    if (best.verdict === "equivalent") return `${best.name} and ${baseline} are equivalent`;
    return `Not enough evidence to choose between ${best.name} and ${baseline}`;
  };

  const worth = (best, baseline, economics) => {
    const years = economics.years > 1 ? `over ${economics.years} years` : "over a year";
    const { estimate } = best.npv;
    return `${years} it is worth ${money(Math.abs(estimate), economics.currency)} ${estimate >= 0 ? "more" : "less"} than ${baseline}`;
  };

  const evidence = (best, economics, testItems) => {
    const seeds = `${best.seeds} seed${best.seeds > 1 ? "s" : ""}, ${words.count(testItems)} test items`;
    if (best.npv_together.low === null) return `no interval from ${seeds}`;
    const settled = best.seeds_needed === null ? "" : `; ${best.seeds_needed} seeds ${SETTLED}`;
    return `95 % interval ${words.moneyInterval(best.npv_together, economics.currency)}; ${seeds}${settled}`;
  };

  const headlineOf = (best, candidates, model, economics) => {
    const { baseline } = model;
    if (best === null) {
      const what = candidates.some((c) => c.kind === "candidate") ? "candidate" : "learned crop";
      return `No verdict: there is no ${what} whose predictions could be compared with ${baseline}.`;
    }
    const said = evidence(best, economics, model.test_items);
    const sentence = `${opening(best, baseline)}: ${worth(best, baseline, economics)} (${said})`;
    const better = candidates.filter((c) => c.kind === "control" && c.npv.estimate !== null && c.npv.estimate >= best.npv.estimate);
    if (!better.length) return `${sentence}.`;
    const { name, npv: found } = better.reduce((a, b) =>
      b.npv.estimate > a.npv.estimate || (b.npv.estimate === a.npv.estimate && b.name > a.name) ? b : a,
    );
    return `${sentence}. The control ${name} does as well or better without a learned crop (${money(found.estimate, economics.currency)}).`;
  };

  // worth/money.py

  const paybackYears = (investment, flows, rate) => {
    if (investment <= 0) return Math.min(...flows) >= 0 ? 0 : null;
    let left = investment;
    for (const [year, amount] of flows.entries()) {
      const flow = amount / (1 + rate) ** (year + 1);
      if (0 < left && left <= flow) return year + left / flow;
      left -= flow;
    }
    return null;
  };

  const FAR = 1e12; // see worth/money.py

  const breakEven = (kase, path) => {
    const nothing = npv(kase, { [path]: 0 });
    const slope = (npv(kase, { [path]: FAR }) - nothing) / FAR;
    if (slope > 0) return Math.max(0, -nothing / slope);
    return slope === 0 && nothing >= 0 ? 0 : null;
  };

  // worth/outlook.py

  const QUANTILES = [...Array.from({ length: 99 }, (_, i) => (i + 1) / 100), 0.025, 0.975].sort((a, b) => a - b);
  const ROUNDING = 1e-12;
  const ACCEPTABILITY_STEPS = 21;
  const ACCEPTABILITY_REACH = 4;
  const FACTORS = [0.25, 0.5, 1, 2, 4];
  const [VOLUMES, BESIDE, FARTHEST] = [41, 4, 1000];
  const NOT_DOUBLED = ["growth", "compute_price_change"];

  const chanceAbove = (npvs, margin) => {
    let above = 0;
    for (let d = 0; d < npvs.length; d++) if (npvs[d] > margin) above++;
    return above / npvs.length;
  };

  // Expected value of perfect information (worth/information.py).
  const evpi = (npvs, margin) => {
    let sum = 0;
    let positive = 0;
    let largest = 0;
    for (let d = 0; d < npvs.length; d++) {
      const npv = npvs[d] - margin;
      sum += npv;
      positive += Math.max(0, npv);
      largest = Math.max(largest, Math.abs(npv));
    }
    const value = positive / npvs.length - Math.max(0, sum / npvs.length);
    return value > ROUNDING * largest ? value : 0;
  };

  // What needs the draws alone, of every candidate.
  const chances = (npvs, margin) => ({
    probability_worth_it: chanceAbove(npvs, margin),
    quantiles: QUANTILES.map((p) => [p, quantileOfSorted(npvs, p)]),
    perfect_information: evpi(npvs, margin),
  });

  const acceptability = ({ economics }, simulate, npvs) => {
    const reach = ACCEPTABILITY_REACH * (economics.means.get(economics.errorPrice) || 1);
    return Array.from({ length: ACCEPTABILITY_STEPS }, (_, step) => {
      const amount = step === ACCEPTABILITY_STEPS - 1 ? reach : step * (reach / (ACCEPTABILITY_STEPS - 1));
      return [amount, chanceAbove(simulate(amount, npvs), economics.margin)];
    });
  };

  const barsOfPrices = (kase, rates, now) => {
    const { economics } = kase;
    const bars = [];
    for (const [path, mean] of economics.means) {
      const guess = economics.guesses.get(path);
      let ends;
      if (guess) ends = [0.1, 0.9].map((p) => scenario.quantile(guess, p));
      else if (economics.entries.has(path) || !mean || NOT_DOUBLED.includes(path)) continue;
      else ends = [mean / 2, economics.shares.has(path) ? Math.min(2 * mean, 1) : 2 * mean];
      const there = ends.map((end) => intervalAt(kase, { [path]: end }, rates));
      bars.push({
        input: path,
        varied: guess ? "guess" : "what if",
        low: ends[0],
        high: ends[1],
        npv_at_low: there[0].estimate,
        npv_at_high: there[1].estimate,
        flips: there.some((end) => judge(end, economics.margin) !== now),
      });
    }
    return bars;
  };

  const barsOfMeasurements = (kase, rates, now) => {
    const found = scenario.components(kase);
    const estimate = npv(kase);
    const half = halfWidth(found, rates);
    const own = { "what a prediction gains": found.slice(0, -1), "inference time": found.slice(-1) };
    return Object.entries(own).map(([input, part]) => {
      const reach = halfWidth(part, { seeds: 0.2, others: 0.2 });
      const ends = [estimate - reach, estimate + reach];
      const verdicts = ends.map((end) => judge({ low: end - half, high: end + half }, kase.economics.margin));
      return {
        input,
        varied: "measured",
        low: null,
        high: null,
        npv_at_low: ends[0],
        npv_at_high: ends[1],
        flips: verdicts.some((verdict) => verdict !== now),
      };
    });
  };

  const tornado = (kase, rates) => {
    const now = judge(intervalAt(kase, {}, rates), kase.economics.margin);
    const width = (bar) => Math.abs(bar.npv_at_high - bar.npv_at_low);
    return [...barsOfPrices(kase, rates, now), ...barsOfMeasurements(kase, rates, now)]
      .filter((bar) => bar.npv_at_low !== bar.npv_at_high)
      .sort((a, b) => width(b) - width(a));
  };

  const grid = (kase, rates) => {
    const { means, errorPrice, margin } = kase.economics;
    const volumes = FACTORS.map((factor) => factor * means.get("predictions_per_year"));
    const prices = FACTORS.map((factor) => factor * means.get(errorPrice));
    const cells = volumes.map((predictions_per_year) =>
      prices.map((price) => intervalAt(kase, { predictions_per_year, [errorPrice]: price }, rates)),
    );
    return {
      volumes,
      error_prices: prices,
      npv: cells.map((row) => row.map((cell) => cell.estimate)),
      verdicts: cells.map((row) => row.map((cell) => judge(cell, margin))),
    };
  };

  const geometric = (from, to, count) =>
    Array.from({ length: count }, (_, i) => (i === count - 1 ? to : from * (to / from) ** (i / (count - 1))));

  const breakEvenCurve = (kase, rates, pays) => {
    const now = kase.economics.means.get("predictions_per_year");
    const near = now && pays ? Math.min(Math.max(pays, now / FARTHEST), now * FARTHEST) : pays;
    const marks = [now, near].filter(Boolean);
    const volumes = marks.length ? geometric(Math.min(...marks) / BESIDE, Math.max(...marks) * BESIDE, VOLUMES) : [];
    return { volumes, npv: volumes.map((predictions_per_year) => intervalAt(kase, { predictions_per_year }, rates)) };
  };

  // worth/candidate.py

  const UNKNOWN = { estimate: null, low: null, high: null };
  const NOTHING_SETTLES = { seeds_needed: null, more_test_items: false, better_prices: false };

  const unpaired = ({ name, kind, deployable }) => ({
    name, kind, deployable, verdict: deployable ? OPEN : null, reason: reasonOf(null, 0), npv: UNKNOWN,
    npv_together: UNKNOWN, roi: null, dominates: false, payback_years: null, discounted_payback_years: null,
    break_even_predictions_per_year: null, break_even_error_price: null, break_even_compute_price: null,
    value_per_prediction: UNKNOWN, inference_cost_per_prediction: null, investment: null, upkeep_per_year: null,
    cash_flow_per_year: null, costs: [], seeds: 0, ...NOTHING_SETTLES, outlook: null,
  });

  // How many seeds would make an open verdict clear; else whether only test items, or better-known prices, would.
  const whatWouldSettleIt = (kase, { seeds, rates }) => {
    const components = scenario.components(kase);
    const { margin } = kase.economics;
    if (components === null) return NOTHING_SETTLES;
    if (judge(intervalAt(kase, {}, rates), margin) !== OPEN) return { ...NOTHING_SETTLES, better_prices: true };
    const estimate = npv(kase);
    const needed = seedsNeeded(estimate, components, seeds, margin, rates);
    const sureButForTiming = intervalAround(estimate, components.slice(2), rates);
    return { ...NOTHING_SETTLES, seeds_needed: needed, more_test_items: needed === null && judge(sureButForTiming, margin) !== OPEN };
  };

  // Each kind of cost with where it comes from; money only where there is a quantity and a price.
  const costsOf = ({ economics, candidate }, values) => {
    const has = (path) => economics.given.has(path);
    const { inference, training } = candidate;
    const sources = [inference.energy_source, training.energy_source].filter((source) => source !== "unavailable");
    const energy = !sources.length ? "unavailable" : sources.includes("estimated") ? "estimated" : "measured";
    const timed = (part) => (part.measured ? "measured" : "unavailable");
    const paid = has("compute_price_per_hour");
    const origins = {
      engineering: has("engineering.once") || has("engineering.per_year") ? "given" : "not priced",
      training: paid ? timed(training) : "not priced",
      inference: paid || economics.instances ? timed(inference) : "not priced",
      energy: has("energy_price_per_kwh") ? energy : "not priced",
      carbon: has("carbon_kg_per_kwh") && has("carbon_price_per_tonne") ? energy : "not priced",
    };
    const costs = Object.entries(origins).map(([name, source]) => ({
      name,
      present_value: source === "unavailable" || source === "not priced" ? null : values[name],
      source,
    }));
    if (!sources.length || origins.energy === "not priced") return costs;
    const unknown = { inference, training };
    for (const [part, { energy_source: source }] of Object.entries(unknown)) {
      if (source === "unavailable") costs.push({ name: `energy of ${part}`, present_value: null, source });
    }
    return costs;
  };

  // The draws of a case's net present value; null where there are too few seeds or items.
  const drawsOf = (kase, shared) => {
    if (scenario.components(kase) === null) return null;
    const { economics } = kase;
    const simulate = simulation.simulate(kase, shared);
    const price = shared.drawn.get(economics.errorPrice) ?? economics.means.get(economics.errorPrice);
    return { simulate, sorted: sorted(simulate(price, shared.npvs)) };
  };

  const candidateOf = (economics, shared, candidate) => {
    const { name, kind, deployable, seeds, rates } = candidate;
    const kase = scenario.makeCase(economics, candidate);
    const drawn = drawsOf(kase, shared);
    const inOrder = drawn && drawn.sorted;
    const { margin, means, years } = economics;
    const together = scenario.interval(kase, inOrder, rates);
    const verdict = deployable ? judge(together, margin) : null;
    const settles = verdict === OPEN ? whatWouldSettleIt(kase, candidate) : NOTHING_SETTLES;
    const { brought, costs } = scenario.presentValues(kase, means);
    const spent = scenario.sumOf(costs);
    const p = scenario.timed(means);
    const unit = scenario.atYear(p, economics.instances, 0);
    const flows = Array.from({ length: years }, (_, t) => scenario.flow(kase, t));
    const investment = scenario.investment(kase);
    const gains = scenario.gainsComponents(kase.gains, scenario.coefficients(economics, means));
    return {
      kase,
      drawn,
      said: {
        name,
        kind,
        deployable,
        verdict,
        reason: reasonOf(verdict, seeds, settles),
        npv: scenario.interval(kase, inOrder),
        npv_together: together,
        roi: spent > 0 ? (brought - spent) / spent : null,
        dominates: brought >= 0 && 0 >= spent && brought > spent,
        payback_years: paybackYears(investment, flows, 0),
        discounted_payback_years: paybackYears(investment, flows, p.discount_rate),
        break_even_predictions_per_year: breakEven(kase, "predictions_per_year"),
        break_even_error_price: breakEven(kase, economics.errorPrice),
        break_even_compute_price: breakEven(kase, "compute_price_per_hour"),
        value_per_prediction: intervalAround(scenario.gain(kase, means), gains),
        inference_cost_per_prediction:
          kase.found.paid * scenario.atYear({ ...p, predictions_per_year: 1 }, economics.instances, 0).inference,
        investment,
        upkeep_per_year: unit.engineering + kase.found.seconds * unit.training,
        cash_flow_per_year: flows[0],
        costs: costsOf(kase, costs),
        seeds,
        ...settles,
        outlook: inOrder && chances(inOrder, margin),
      },
    };
  };

  // worth/appraisal.py

  return (model, prices = {}) => {
    const unpacked = scenario.unpackedModel(model);
    const economics = scenario.readPrices(unpacked, prices);
    const shared = simulation.makeShared(economics);
    const found = unpacked.candidates.map((candidate) =>
      candidate.gains === null ? { said: unpaired(candidate) } : candidateOf(economics, shared, candidate),
    );
    const learned = found.filter(({ said }) => ["crop", "candidate"].includes(said.kind) && said.npv.estimate !== null);
    const best = learned.length ? learned.reduce((a, b) => (b.said.npv.estimate > a.said.npv.estimate ? b : a)) : null;
    if (best?.drawn) {
      const { kase, drawn, said } = best;
      const { rates } = kase.candidate;
      Object.assign(said.outlook, {
        acceptability: acceptability(kase, drawn.simulate, shared.npvs),
        tornado: tornado(kase, rates),
        grid: grid(kase, rates),
        break_even_curve: breakEvenCurve(kase, rates, said.break_even_predictions_per_year),
      });
    }
    const candidates = found.map(({ said }) => said);
    return {
      headline: headlineOf(best && best.said, candidates, model, economics),
      best: best && best.said.name,
      error_price: economics.errorPrice,
      margin: economics.margin,
      candidates: Object.fromEntries(candidates.map((said) => [said.name, said])),
    };
  };
})();
