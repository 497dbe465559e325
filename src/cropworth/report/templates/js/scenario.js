// One candidate's case at any prices, as worth/scenario.py, worth/interval.py and worth/money.py have it: its net present
// value, how sure that is, and the draws. Prices are a Map of path -> number (or, where drawn, Float64Array).
const scenario = (() => {
  "use strict";

  const { NORMAL_FROM, remembered, tQuantile, midpointQuantiles, quantileOfSorted } = distributions;
  const ALPHA = 0.05;
  const ALONE = { seeds: ALPHA, others: ALPHA };
  const FEWEST_SEEDS = 3;
  const DRAWS = 10000;
  const JOULES_PER_KWH = 3.6e6;

  const t = remembered((df, alpha) => tQuantile(1 - alpha / 2, Math.min(df, NORMAL_FROM)), 2000);

  // Draws of t in the order of a permutation: a quantile in each of DRAWS equal parts.
  const draws = remembered((df, order) => {
    const table = midpointQuantiles(Math.min(df, NORMAL_FROM), DRAWS);
    const values = new Float64Array(DRAWS);
    for (let d = 0; d < DRAWS; d++) values[d] = table[order[d]];
    return values;
  }, 20);

  // The model as it stands in the page's JSON, its base 64 and triangles unpacked.

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

  // Full symmetric matrices, row by row, of upper triangles.
  const unpacked = (text, count, side) => {
    const packed = new Float64Array(bytes(text));
    return Array.from({ length: count }, (_, matrix) => {
      const full = new Float64Array(side * side);
      let next = (matrix * side * (side + 1)) / 2;
      for (let row = 0; row < side; row++) {
        for (let column = row; column < side; column++) {
          full[row * side + column] = full[column * side + row] = packed[next++];
        }
      }
      return full;
    });
  };

  const unpackedGains = (gains, quantities) => {
    const strata = gains.mean.length / quantities;
    return {
      ...gains,
      strata,
      quantities,
      by_seed: unpacked(gains.by_seed, 1, gains.mean.length)[0],
      by_item: unpacked(gains.by_item, gains.items.length, quantities),
      residual: unpacked(gains.residual, strata, quantities),
    };
  };

  const models = new WeakMap();
  const unpackedModel = (model) => {
    if (!models.has(model)) {
      const orders = (texts) => texts.map((text) => new Uint16Array(bytes(text)));
      models.set(model, {
        ...model,
        candidates: model.candidates.map((c) => ({
          ...c,
          gains: c.gains && unpackedGains(c.gains, model.quantities.length),
        })),
        chance: orders(model.permutations.chance),
        guessed: orders(model.permutations.guesses),
      });
    }
    return models.get(model);
  };

  // Sums of products (worth/interval.py: TwoWay). Coefficients are flat, K strata of P quantities.

  const dot = (a, b) => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  };

  // x' M y, of a part of x and y from `start` on.
  const bilinear = (matrix, x, y, start = 0) => {
    const side = Math.sqrt(matrix.length);
    let sum = 0;
    for (let i = 0; i < side; i++) {
      let row = 0;
      for (let j = 0; j < side; j++) row += matrix[i * side + j] * y[start + j];
      sum += x[start + i] * row;
    }
    return sum;
  };

  const byStratum = (matrices, x, y, quantities) =>
    matrices.map((matrix, stratum) => bilinear(matrix, x, y, stratum * quantities));
  const total = (values) => values.reduce((sum, value) => sum + value, 0);

  // Degrees of freedom of a sum of variances (Satterthwaite 1946).
  const satterthwaite = (variances, freedom) => {
    const spread = total(variances.map((v, k) => v ** 2 / Math.max(freedom[k], 1)));
    return spread > 0 ? total(variances) ** 2 / spread : Infinity;
  };

  // The strata made one, where their shares are known: the items' degrees of freedom are those at these amounts.
  const merged = (gains, amounts) => {
    if (gains.strata > 1) return gains; // whose shares are priced, and so may vary
    const ofStratum = gains.by_item.map((matrix) => bilinear(matrix, amounts, amounts));
    const freedom = satterthwaite(ofStratum, gains.items.map((n) => n - 1));
    const sum = gains.by_item[0].map((_, at) => total(gains.by_item.map((matrix) => matrix[at])));
    const items = isKnown(gains) ? Math.min(freedom + 1, total(gains.items)) : Math.min(...gains.items);
    return { ...gains, by_item: [sum], items: [items] };
  };

  const isKnown = (gains) => gains.seeds > 1 && Math.min(...gains.items) > 1;

  // Whether the seeds agree more than the residual alone lets them; half of its variance then stands in.
  const agreement = (df, alpha = ALPHA) => {
    const [own, normal] = [t(df, alpha) ** 2, t(Infinity, alpha) ** 2];
    return (seed, residual) => own * seed < (normal * residual) / 2;
  };

  const variances = (gains, a, alpha = ALPHA) => {
    const seed = bilinear(gains.by_seed, a, a);
    const ofStratum = byStratum(gains.by_item, a, a, gains.quantities);
    const residual = total(byStratum(gains.residual, a, a, gains.quantities));
    const df = gains.seeds - 1;
    const bySeed = agreement(df, alpha)(seed, residual)
      ? { variance: residual / 2, df: Infinity }
      : { variance: seed, df };
    const itemDf = satterthwaite(ofStratum, gains.items.map((n) => n - 1));
    return [bySeed, { variance: Math.max(total(ofStratum) - residual, 0), df: itemDf }];
  };

  const gainsComponents = (gains, a, alpha = ALPHA) => (isKnown(gains) ? variances(gains, a, alpha) : null);

  const scaled = (component, factor) => ({ variance: component.variance * factor ** 2, df: component.df });

  const halfWidth = (components, rates = ALONE) =>
    Math.sqrt(total(components.map((c, i) => t(c.df, i ? rates.others : rates.seeds) ** 2 * c.variance)));

  const intervalAround = (estimate, components, rates = ALONE) => {
    if (components === null) return { estimate, low: null, high: null };
    const reach = halfWidth(components, rates);
    return { estimate, low: estimate - reach, high: estimate + reach };
  };

  // Prices (worth/economics.py, worth/prices.py).

  const isRange = (price) => typeof price === "object";
  const mean = (price) => (isRange(price) ? (price.low + price.mode + price.high) / 3 : price);

  // The value below which a guess lies with probability p.
  const quantile = (guess, p) => {
    const width = guess.high - guess.low;
    if (width === 0) return guess.mode;
    if (p * width < guess.mode - guess.low) return guess.low + Math.sqrt(p * width * (guess.mode - guess.low));
    return guess.high - Math.sqrt((1 - p) * width * (guess.high - guess.mode));
  };

  // The reader's prices in the terms of the model: what is given, known and guessed.
  const readPrices = (model, prices) => {
    const chosen = new Map();
    const given = new Set();
    for (const { path, value, given: wasGiven } of [...model.prices, ...model.terms]) {
      const price = prices[path] ?? value;
      chosen.set(path, price);
      if (wasGiven || !same(price, value)) given.add(path);
    }
    const means = new Map();
    const guesses = new Map();
    const multiples = new Map();
    for (const { path, multiple } of model.prices) {
      const price = chosen.get(path);
      means.set(path, mean(price));
      if (multiple !== null && !isRange(price)) multiples.set(path, multiple);
      if (isRange(price) && price.low < price.high) guesses.set(path, price);
    }
    if (guesses.size > model.guessed.length) {
      throw new Error(`${guesses.size} prices that are guesses; this page has draws for ${model.guessed.length}`);
    }
    return {
      means,
      guesses,
      given,
      // An entry of a matrix that is known has its multiple in the place of its own path (see Economics.prices).
      quantities: model.quantities.map((paths) => paths.flatMap((p) => (multiples.has(p) ? [p, multiples.get(p)] : [p]))),
      entries: multiples,
      share: model.share,
      shares: new Set(model.prices.filter((price) => price.share).map((price) => price.path)),
      instances: model.instances,
      errorPrice: errorPrice(model, given, means),
      years: chosen.get("horizon_years"),
      margin: chosen.get("margin"),
      currency: model.currency,
      chance: model.chance,
      guessed: model.guessed,
    };
  };

  const same = (a, b) =>
    isRange(a) && isRange(b) ? a.low === b.low && a.mode === b.mode && a.high === b.high : a === b;

  const errorPrice = (model, given, means) => {
    if (model.error_price !== "cost_per_error" && model.error_price !== "stake") return model.error_price;
    return given.has("cost_per_error") || !means.get("stake") ? "cost_per_error" : "stake";
  };

  // Money for one of each quantity, and what multiplies the means (worth/gains.py: Pricing).

  const product = (paths, prices) => paths.reduce((amount, path) => amount * prices.get(path), 1);
  const amounts = (economics, prices) => economics.quantities.map((paths) => product(paths, prices));
  const coefficients = (economics, prices) => {
    const each = amounts(economics, prices);
    if (economics.share === null) return each;
    const share = prices.get(economics.share);
    return [...each.map((a) => share * a), ...each.map((a) => (1 - share) * a)];
  };

  // Money over time (worth/money.py). What one unit of each kind costs, or brings: predictions for each money gained,
  // inference for each second (money, on instances), training for each second, energy for each joule.

  const TIMED = [
    "predictions_per_year", "growth", "compute_price_per_hour", "compute_price_change", "utilisation",
    "retrainings_per_year", "engineering.once", "engineering.per_year", "discount_rate", "energy_price_per_kwh",
    "carbon_kg_per_kwh", "carbon_price_per_tonne",
  ];
  const UNITS = ["predictions", "engineering", "training", "inference", "trainingJoules", "inferenceJoules"];

  const timed = (prices) => Object.fromEntries(TIMED.map((path) => [path, prices.get(path)]));

  // Over a time that holds so many years, or so many first years' volume, compute price, or both; with what is spent at
  // once or (0) without.
  const unitsOver = (p, instances, years, volume, cheaper, cheaperVolume, atOnce) => {
    const hourly = p.compute_price_per_hour / 3600;
    return {
      predictions: p.predictions_per_year * volume,
      engineering: atOnce * p["engineering.once"] + years * p["engineering.per_year"],
      training: (atOnce + p.retrainings_per_year * cheaper) * hourly,
      inference: (p.predictions_per_year * cheaperVolume * (instances ? 1 : hourly)) / p.utilisation,
      trainingJoules: atOnce + years * p.retrainings_per_year,
      inferenceJoules: p.predictions_per_year * volume,
    };
  };

  // Before the first year.
  const atOnce = (p, instances) => unitsOver(p, instances, 0, 0, 0, 0, 1);

  // In year `t`, the first is 0.
  const atYear = (p, instances, t) => {
    const volume = (1 + p.growth) ** t;
    const cheaper = (1 + p.compute_price_change) ** t;
    return unitsOver(p, instances, 1, volume, cheaper, volume * cheaper, 0);
  };

  // Over all years, in money (or joules) of today.
  const presentUnits = (p, instances, years) => {
    const [grown, cheapened, discounted] = [1 + p.growth, 1 + p.compute_price_change, 1 / (1 + p.discount_rate)];
    let [volume, cheaper, discount] = [1, 1, 1];
    let [ofYears, ofVolume, ofCheaper, ofBoth] = [0, 0, 0, 0];
    for (let t = 0; t < years; t++) {
      discount *= discounted;
      ofYears += discount;
      ofVolume += discount * volume;
      ofCheaper += discount * cheaper;
      ofBoth += discount * volume * cheaper;
      volume *= grown;
      cheaper *= cheapened;
    }
    return unitsOver(p, instances, ofYears, ofVolume, ofCheaper, ofBoth, 1);
  };

  // What a candidate costs by kind, of such units.
  const costs = (found, unit, p) => {
    const kwh = (found.trainingJoules * unit.trainingJoules + found.inferenceJoules * unit.inferenceJoules) / JOULES_PER_KWH;
    return {
      engineering: unit.engineering,
      training: found.seconds * unit.training,
      inference: found.paid * unit.inference,
      energy: kwh * p.energy_price_per_kwh,
      carbon: (kwh * p.carbon_kg_per_kwh * p.carbon_price_per_tonne) / 1000,
    };
  };

  const sumOf = (byKind) => total(Object.values(byKind));

  // A case (worth/scenario.py: Case).

  const joules = (part, watts) =>
    part.energy_j === null ? 0 : part.energy_j * (part.energy_source === "estimated" ? watts : 1);

  const makeCase = (economics, candidate) => {
    const watts = economics.means.get("watts");
    return {
      economics,
      candidate,
      gains: merged(candidate.gains, amounts(economics, economics.means)),
      found: {
        seconds: candidate.training.seconds,
        paid: candidate.inference.paid,
        trainingJoules: joules(candidate.training, watts),
        inferenceJoules: joules(candidate.inference, watts),
      },
      timing: candidate.inference.timing,
    };
  };

  const changedMeans = ({ economics }, changed) => new Map([...economics.means, ...Object.entries(changed)]);

  const gain = (kase, prices) => dot(coefficients(kase.economics, prices), kase.gains.mean);

  // What it brings, and what it costs by kind, in money of today.
  const presentValues = (kase, prices) => {
    const p = timed(prices);
    const unit = presentUnits(p, kase.economics.instances, kase.economics.years);
    return { unit, brought: gain(kase, prices) * unit.predictions, costs: costs(kase.found, unit, p) };
  };

  const npv = (kase, changed = {}) => {
    const { brought, costs: spent } = presentValues(kase, changedMeans(kase, changed));
    return brought - sumOf(spent);
  };

  // The chance in `npv` by seeds, items and timing; null where there are too few of them for a verdict.
  const components = (kase, changed = {}, rates = ALONE) => {
    const prices = changedMeans(kase, changed);
    const found = gainsComponents(kase.gains, coefficients(kase.economics, prices), rates.seeds);
    if (found === null || kase.gains.seeds < FEWEST_SEEDS) return null;
    const unit = presentUnits(timed(prices), kase.economics.instances, kase.economics.years);
    return [...found.map((c) => scaled(c, unit.predictions)), scaled(kase.timing, unit.inference)];
  };

  const intervalAt = (kase, changed = {}, rates = ALONE) =>
    intervalAround(npv(kase, changed), components(kase, changed, rates), rates);

  // The net present value, guesses allowed for by simulation; `sorted` are the draws, in order.
  const interval = (kase, sorted, rates = ALONE) => {
    if (!kase.economics.guesses.size || sorted === null) return intervalAt(kase, {}, rates);
    const alpha = Math.min(rates.seeds, rates.others);
    const [low, high] = [alpha / 2, 1 - alpha / 2].map((p) => quantileOfSorted(sorted, p));
    return { estimate: npv(kase), low, high };
  };

  // Cash flow of a year, not discounted, at the mean prices; the first is 0.
  const flow = (kase, t) => {
    const { economics, found } = kase;
    const p = timed(economics.means);
    const unit = atYear(p, economics.instances, t);
    return gain(kase, economics.means) * unit.predictions - sumOf(costs(found, unit, p));
  };

  // What is spent before the first year.
  const investment = ({ economics, found }) => {
    const p = timed(economics.means);
    return sumOf(costs(found, atOnce(p, economics.instances), p));
  };

  return {
    DRAWS, FEWEST_SEEDS, UNITS, JOULES_PER_KWH, draws, unpackedModel, dot, bilinear, byStratum, total, agreement, variances,
    gainsComponents, halfWidth, intervalAround, quantile, readPrices, coefficients, atYear, presentUnits, timed, sumOf,
    makeCase, gain, presentValues, npv, components, intervalAt, interval, flow, investment,
  };
})();
