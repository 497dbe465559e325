// Net present values by chance in the measurements and in the guesses: worth/scenario.py: Case.simulate.
//
// Ten thousand draws of many prices would take long one by one. But money is linear in the price of an error, so a
// draw's gain is a line in it and a draw's variances are parabolas: they are made once, and then serve every price.
const simulation = (() => {
  "use strict";

  const { DRAWS, JOULES_PER_KWH, draws, total } = scenario;

  // What is the same for all candidates: guesses drawn, what units cost with them, and what multiplies coefficients.
  const makeShared = (economics) => {
    const drawn = new Map();
    [...economics.guesses].forEach(([path, guess], column) => {
      drawn.set(path, ofDraws((d) => scenario.quantile(guess, (economics.guessed[column][d] + 0.5) / DRAWS)));
    });
    return { drawn, units: makeUnits(economics, drawn), terms: makeTerms(economics, drawn), npvs: new Float64Array(DRAWS) };
  };

  const ofDraws = (make, count = DRAWS) => {
    const values = new Float64Array(count);
    for (let d = 0; d < count; d++) values[d] = make(d);
    return values;
  };

  // What one unit of each kind costs or brings in each draw; one number for all where no guess changes it.
  const makeUnits = (economics, drawn) => {
    const p = scenario.timed(economics.means);
    const own = [...drawn].filter(([path]) => path in p);
    const units = Object.fromEntries(scenario.UNITS.map((name) => [name, new Float64Array(own.length ? DRAWS : 1)]));
    for (let d = 0; d < units.predictions.length; d++) {
      for (const [path, values] of own) p[path] = values[d];
      const unit = scenario.presentUnits(p, economics.instances, economics.years);
      const joule = (p.energy_price_per_kwh + (p.carbon_kg_per_kwh * p.carbon_price_per_tonne) / 1000) / JOULES_PER_KWH;
      units.predictions[d] = unit.predictions;
      units.engineering[d] = unit.engineering;
      units.training[d] = unit.training;
      units.inference[d] = unit.inference;
      units.trainingJoules[d] = unit.trainingJoules * joule;
      units.inferenceJoules[d] = unit.inferenceJoules * joule;
    }
    return units;
  };

  // Coefficients of the quantities, summed where the same drawn prices multiply them. Each term has a vector, the product
  // of its drawn prices, and whether the price of an error multiplies it too.
  const makeTerms = (economics, drawn) => {
    const { share, quantities, means, errorPrice } = economics;
    const shares = sharesOf(share, means, drawn);
    const terms = new Map();
    shares.forEach(({ name: ofStratum, amount: part, values }, stratum) => {
      quantities.forEach((paths, quantity) => {
        const others = paths.filter((path) => path !== errorPrice);
        const guessed = others.filter((path) => drawn.has(path));
        const known = others.filter((path) => !drawn.has(path));
        const isSwept = paths.includes(errorPrice);
        const name = [ofStratum, ...guessed, isSwept].join();
        if (!terms.has(name)) {
          const factors = [...guessed.map((path) => drawn.get(path)), ...values];
          terms.set(name, { vector: new Float64Array(shares.length * quantities.length), product: productOf(factors), isSwept });
        }
        terms.get(name).vector[stratum * quantities.length + quantity] += known.reduce((a, path) => a * means.get(path), part);
      });
    });
    return [...terms.values()];
  };

  // Of each stratum its share: a number, or values where it is drawn.
  const sharesOf = (path, means, drawn) => {
    if (path === null) return [{ name: "", amount: 1, values: [] }];
    const values = drawn.get(path);
    const mean = means.get(path);
    if (!values) return [mean, 1 - mean].map((amount) => ({ name: "", amount, values: [] }));
    return [
      { name: "first", amount: 1, values: [values] },
      { name: "second", amount: 1, values: [ofDraws((d) => 1 - values[d])] },
    ];
  };

  const productOf = (factors) => {
    if (factors.length < 2) return factors[0] ?? Float64Array.of(1);
    return ofDraws((d) => factors.reduce((value, factor) => value * factor[d], 1));
  };

  // Of each draw the gain (a line), and its variances by seeds, items and residual (parabolas) in the price of an error.
  const makeMoments = ({ gains }, { terms }) => {
    const count = Math.max(...terms.map((term) => term.product.length));
    const empty = (powers) => Array.from({ length: powers }, () => new Float64Array(count));
    const moments = { count, gain: empty(2), seed: empty(3), item: empty(3), residual: empty(3) };
    const sums = (matrices, one, other) => total(scenario.byStratum(matrices, one.vector, other.vector, gains.quantities));
    terms.forEach((one, i) => {
      addTo(moments.gain[Number(one.isSwept)], scenario.dot(one.vector, gains.mean), one.product);
      terms.slice(i).forEach((other, after) => {
        const power = Number(one.isSwept) + Number(other.isSwept);
        const times = after ? 2 : 1;
        const found = {
          seed: scenario.bilinear(gains.by_seed, one.vector, other.vector),
          item: sums(gains.by_item, one, other),
          residual: sums(gains.residual, one, other),
        };
        for (const [kind, amount] of Object.entries(found)) {
          if (amount) addTo(moments[kind][power], times * amount, one.product, other.product);
        }
      });
    });
    return moments;
  };

  const ONE = Float64Array.of(1);

  const addTo = (sums, amount, one, other = ONE) => {
    const [a, b] = [one.length > 1 ? 1 : 0, other.length > 1 ? 1 : 0];
    for (let d = 0; d < sums.length; d++) sums[d] += amount * one[a * d] * other[b * d];
  };

  // Standard draws: of t by the seeds, of the normal, of t by the items and by the timing.
  const makeChance = (kase) => {
    const { economics, gains, timing } = kase;
    const [, { df }] = scenario.variances(gains, scenario.coefficients(economics, economics.means));
    const [bySeed, byItem, byRound] = economics.chance;
    return {
      seed: draws(Math.max(1, gains.seeds - 1), bySeed),
      normal: draws(Infinity, bySeed),
      item: draws(df, byItem),
      timing: draws(timing.df, byRound),
    };
  };

  // Net present values (DRAWS) of a case as a function of the price of an error: a number, or one for each draw. They are
  // written into `npvs`.
  const simulate = (kase, shared) => {
    const { units } = shared;
    const { seconds, paid, trainingJoules, inferenceJoules } = kase.found;
    const moments = makeMoments(kase, shared);
    const chance = makeChance(kase);
    const seedsAgree = scenario.agreement(kase.gains.seeds - 1);
    const timing = Math.sqrt(kase.timing.variance);
    return (price, npvs = new Float64Array(DRAWS)) => {
      const prices = price instanceof Float64Array ? price : Float64Array.of(price);
      const varies = moments.count > 1 || prices.length > 1;
      let gain, bySeed, byItem, seedDraws;
      for (let d = 0; d < DRAWS; d++) {
        if (varies || d === 0) {
          const at = moments.count > 1 ? d : 0;
          const x = prices.length > 1 ? prices[d] : prices[0];
          const parabola = (powers) => powers[0][at] + x * (powers[1][at] + x * powers[2][at]);
          const seed = parabola(moments.seed);
          const residual = parabola(moments.residual);
          const agree = seedsAgree(seed, residual);
          gain = moments.gain[0][at] + x * moments.gain[1][at];
          bySeed = Math.sqrt(Math.max(agree ? residual / 2 : seed, 0));
          byItem = Math.sqrt(Math.max(parabola(moments.item) - residual, 0));
          seedDraws = agree ? chance.normal : chance.seed;
        }
        const u = units.predictions.length > 1 ? d : 0;
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
