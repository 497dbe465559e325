// Net present values by chance in the measurements and in the guesses: worth/scenario.py: Case.simulate.
//
// Ten thousand draws of many prices would take long one by one. But money is linear in the price of an error, so a
// draw's gain is a line in it and a draw's variances are parabolas: they are made once, and then serve every price.
const simulation = (() => {
  "use strict";

  const { DRAWS, draws, total } = scenario;

  // What the draws are the same in for all candidates: guesses drawn, and what units cost with them. What no guess
  // changes has one number for all draws.
  const makeShared = (economics) => {
    const drawn = new Map();
    [...economics.guesses].forEach(([path, guess], column) => {
      drawn.set(path, Float64Array.from(economics.guessed[column], (part) => scenario.quantile(guess, (part + 0.5) / DRAWS)));
    });
    const p = scenario.timed(economics.means);
    const own = [...drawn].filter(([path]) => path in p);
    const count = own.length ? DRAWS : 1;
    const units = Object.fromEntries(scenario.UNITS.map((name) => [name, new Float64Array(count)]));
    for (let d = 0; d < count; d++) {
      for (const [path, values] of own) p[path] = values[d];
      const unit = scenario.presentUnits(p, economics.years, economics.instances);
      const kwh = (p.energy_price_per_kwh + (p.carbon_kg_per_kwh * p.carbon_price_per_tonne) / 1000) / scenario.JOULES_PER_KWH;
      for (const name in units) units[name][d] = unit[name] * (name.endsWith("Joules") ? kwh : 1);
    }
    return { drawn, units, count };
  };

  // Coefficients of the quantities, summed where the same drawn prices multiply them: each term has a vector, the drawn
  // factors, and whether the price of an error multiplies it too.
  const termsOf = (economics, drawn) => {
    const swept = economics.errorPrice;
    const strata = economics.share === null ? 1 : 2;
    const size = economics.quantities.length;
    const terms = new Map();
    for (let stratum = 0; stratum < strata; stratum++) {
      economics.quantities.forEach((paths, quantity) => {
        const isSwept = paths.includes(swept);
        const factors = paths.filter((path) => drawn.has(path) && path !== swept).map((path) => drawn.get(path));
        const names = paths.filter((path) => drawn.has(path) && path !== swept);
        let amount = 1;
        for (const path of paths) if (!drawn.has(path) && path !== swept) amount *= economics.means.get(path);
        if (strata === 2) {
          const share = drawn.get(economics.share);
          if (share) {
            factors.push(stratum ? share.map((value) => 1 - value) : share);
            names.push(`share of ${stratum}`);
          } else {
            const mean = economics.means.get(economics.share);
            amount *= stratum ? 1 - mean : mean;
          }
        }
        const name = [...names, isSwept].join();
        if (!terms.has(name)) terms.set(name, { vector: new Float64Array(strata * size), factors, isSwept });
        terms.get(name).vector[stratum * size + quantity] += amount;
      });
    }
    return [...terms.values()];
  };

  // Of each draw the gain (a line), and its variances by seeds, items and residual (parabolas) in the price of an error.
  const makeMoments = (kase, { drawn }) => {
    const { gains } = kase;
    const terms = termsOf(kase.economics, drawn);
    const count = terms.some((term) => term.factors.length) ? DRAWS : 1;
    const sumsOf = (matrices, x, y) => total(scenario.byStratum(matrices, x, y, gains.quantities));
    const pairs = terms.flatMap((one, i) =>
      terms.slice(i).map((other, after) => ({
        i,
        j: i + after,
        power: Number(one.isSwept) + Number(other.isSwept),
        times: after ? 2 : 1,
        seed: scenario.bilinear(gains.by_seed, one.vector, other.vector),
        item: sumsOf(gains.by_item, one.vector, other.vector),
        residual: sumsOf(gains.residual, one.vector, other.vector),
      })),
    );
    const means = terms.map(({ vector }) => vector.reduce((sum, value, i) => sum + value * gains.mean[i], 0));
    const empty = (powers) => Array.from({ length: powers }, () => new Float64Array(count));
    const moments = { count, gain: empty(2), seed: empty(3), item: empty(3), residual: empty(3) };
    const factor = new Float64Array(terms.length);
    for (let d = 0; d < count; d++) {
      for (let i = 0; i < terms.length; i++) {
        let value = 1;
        for (const values of terms[i].factors) value *= values[d];
        factor[i] = value;
        moments.gain[Number(terms[i].isSwept)][d] += value * means[i];
      }
      for (const { i, j, power, times, seed, item, residual } of pairs) {
        const both = times * factor[i] * factor[j];
        moments.seed[power][d] += both * seed;
        moments.item[power][d] += both * item;
        moments.residual[power][d] += both * residual;
      }
    }
    return moments;
  };

  // Standard draws: of t by the seeds, of the normal, of t by the items and by the timing.
  const makeChance = (kase) => {
    const { economics, gains, timing } = kase;
    const [, { df }] = scenario.variances(gains, scenario.coefficients(economics, economics.means));
    const [bySeed, byItem, byRound] = economics.chance;
    return {
      seed: permuted(draws(Math.max(1, gains.seeds - 1)), bySeed),
      normal: permuted(draws(Infinity), bySeed),
      item: permuted(draws(df), byItem),
      timing: permuted(draws(timing.df), byRound),
    };
  };

  const permuted = (table, order) => {
    const values = new Float64Array(DRAWS);
    for (let d = 0; d < DRAWS; d++) values[d] = table[order[d]];
    return values;
  };

  // Net present values (DRAWS) of a case as a function of the price of an error: a number, or one for each draw.
  const simulate = (kase, shared) => {
    const { units } = shared;
    const { seconds, paid, trainingJoules, inferenceJoules } = kase.found;
    const moments = makeMoments(kase, shared);
    const chance = makeChance(kase);
    const seedsAgree = scenario.agreement(kase.gains.seeds - 1);
    const timing = Math.sqrt(kase.timing.variance);
    return (price) => {
      const prices = price instanceof Float64Array ? price : Float64Array.of(price);
      const varies = moments.count > 1 || prices.length > 1;
      const npvs = new Float64Array(DRAWS);
      let gain, bySeed, byItem, seedDraws;
      for (let d = 0; d < DRAWS; d++) {
        if (varies || d === 0) {
          const at = moments.count > 1 ? d : 0;
          const x = prices.length > 1 ? prices[d] : prices[0];
          const parabola = ([a, b, c]) => a[at] + x * (b[at] + x * c[at]);
          const seed = parabola(moments.seed);
          const residual = parabola(moments.residual);
          const agree = seedsAgree(seed, residual);
          gain = moments.gain[0][at] + x * moments.gain[1][at];
          bySeed = Math.sqrt(Math.max(agree ? residual / 2 : seed, 0));
          byItem = Math.sqrt(Math.max(parabola(moments.item) - residual, 0));
          seedDraws = agree ? chance.normal : chance.seed;
        }
        const u = shared.count > 1 ? d : 0;
        const gained = gain + bySeed * seedDraws[d] + byItem * chance.item[d];
        npvs[d] =
          gained * units.predictions[u] -
          (units.engineering[u] +
            seconds * units.training[u] +
            (paid + timing * chance.timing[d]) * units.inference[u] +
            trainingJoules * units.trainingJoules[u] +
            inferenceJoules * units.inferenceJoules[u]);
      }
      return npvs;
    };
  };

  return { makeShared, simulate };
})();
