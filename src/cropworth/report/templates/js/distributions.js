// Student's t and the normal distribution, to about twelve digits. df = Infinity is the normal one.
// The names are those of worth/interval.py where it has them; SciPy is the reference in the tests.
const distributions = (() => {
  "use strict";

  // df at which SciPy's own t stands for the normal distribution in worth/, and ours is it.
  const NORMAL_FROM = 1e9;

  // Gamma(x + 1/2) / Gamma(x): a ratio of large numbers, so by its own series (Tricomi and Erdelyi 1951) at x + 40.
  const gammaRatio = (x) => {
    let factor = 1;
    for (let i = 0; i < 40; i++) factor *= (x + i) / (x + i + 0.5);
    const y = 1 / (x + 40);
    const series = 1 - y / 8 + y ** 2 / 128 + (5 * y ** 3) / 1024 - (21 * y ** 4) / 32768 - (399 * y ** 5) / 262144;
    return factor * Math.sqrt(x + 40) * series;
  };

  // The density's height at 0.
  const height = (df) =>
    df >= NORMAL_FROM ? 1 / Math.sqrt(2 * Math.PI) : gammaRatio(df / 2) / Math.sqrt(df * Math.PI);

  const shape = (t, df) =>
    df >= NORMAL_FROM ? Math.exp((-t * t) / 2) : Math.exp((-(df + 1) / 2) * Math.log1p((t * t) / df));

  // Continued fraction of the incomplete beta function I_x(a, b) without its leading factor (Didonato and Morris 1992,
  // by the modified method of Lentz 1976).
  const betaFraction = (a, b, x) => {
    const tiny = 1e-300;
    let c = 1;
    let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny);
    let value = d;
    for (let m = 1; m < 20000; m++) {
      const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / (1 + even * d || tiny);
      c = 1 + even / c || tiny;
      value *= c * d;
      const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 / (1 + odd * d || tiny);
      c = 1 + odd / c || tiny;
      const step = c * d;
      value *= step;
      if (Math.abs(step - 1) < 1e-15) break;
    }
    return value;
  };

  // P(T > t), t >= 0. Each branch has small numbers in full; I_x(df/2, 1/2) / 2 is the tail, x = df / (df + t^2).
  const tail = (t, df, top = height(df)) => {
    if (t === Infinity) return 0;
    if (df >= NORMAL_FROM) return normalTail(t);
    const density = top * shape(t, df);
    const rest = df + t * t;
    const isFar = df / rest < (df / 2 + 1) / (df / 2 + 2.5);
    if (isFar) return ((density * t) / df) * betaFraction(df / 2, 0.5, df / rest);
    return 0.5 - density * t * betaFraction(0.5, df / 2, (t * t) / rest);
  };

  // Far out by Laplace's continued fraction, from the inside out; near 0 by the series of Abramowitz and Stegun 26.2.11.
  const normalTail = (t) => {
    const density = height(Infinity) * shape(t, Infinity);
    if (t > 3) {
      let fraction = t;
      for (let k = 120; k > 0; k--) fraction = t + k / fraction;
      return density / fraction;
    }
    let term = t;
    let sum = t;
    for (let k = 3; Math.abs(term) > 1e-17 * sum; k += 2) {
      term *= (t * t) / k;
      sum += term;
    }
    return 0.5 - density * sum;
  };

  // P(T <= t).
  const tCdf = (t, df) => (t > 0 ? 1 - tail(t, df) : tail(-t, df));

  // t with P(T > t) = p, 0 < p < 1/2, from a start above 0. Newton's steps for log p over log t, where tails are straight,
  // and for p over t near the middle, where they are.
  const refined = (p, df, start, top = height(df)) => {
    let t = start;
    for (let i = 0; i < 100; i++) {
      const above = tail(t, df, top);
      const density = top * shape(t, df);
      const next = p > 0.25 ? t + (above - p) / density : t * Math.exp((Math.log(above / p) * above) / (density * t));
      if (Math.abs(next - t) <= 1e-13 * next) return next;
      t = next;
    }
    return t;
  };

  // Abramowitz and Stegun 26.2.23 and 26.7.5: three digits to start from.
  const roughly = (p, df) => {
    const r = Math.sqrt(-2 * Math.log(p));
    const z = r - (2.515517 + r * (0.802853 + r * 0.010328)) / (1 + r * (1.432788 + r * (0.189269 + r * 0.001308)));
    return Math.max(z, 1e-3) * (1 + (z * z + 1) / (4 * df));
  };

  // t with P(T <= t) = p.
  const tQuantile = (p, df) => {
    if (p === 0.5) return 0;
    const t = refined(Math.min(p, 1 - p), df, roughly(Math.min(p, 1 - p), df));
    return p < 0.5 ? -t : t;
  };

  // Quantiles at (i + 1/2) / count, count even. From the middle outwards they solve dt/dp = 1 / density(t) (Steinbrecher
  // and Shaw 2008, European Journal of Applied Mathematics 19, 87-112) by Runge and Kutta's steps; the outer twentieths,
  // where a step is long, are refined one by one.
  const midpointQuantiles = (df, count) => {
    const table = new Float64Array(count);
    const half = count / 2;
    const top = height(df);
    const slope = (t) => 1 / (top * shape(t, df));
    const marched = Math.floor(0.9 * half);
    let t = 0;
    for (let i = 0; i < half; i++) {
      if (i < marched) {
        const step = (i === 0 ? 0.5 : 1) / count;
        const k1 = slope(t);
        const k2 = slope(t + (step / 2) * k1);
        const k3 = slope(t + (step / 2) * k2);
        const k4 = slope(t + step * k3);
        t += (step / 6) * (k1 + 2 * k2 + 2 * k3 + k4);
      } else {
        t = refined((half - i - 0.5) / count, df, t + slope(t) / count, top);
      }
      table[half + i] = t;
      table[half - 1 - i] = -t;
    }
    return table;
  };

  // np.quantile of ascending numbers: linear between them, computed from the nearer end as NumPy does.
  const quantileOfSorted = (sorted, p) => {
    const place = p * (sorted.length - 1);
    const below = Math.floor(place);
    const part = place - below;
    const low = sorted[below];
    const high = sorted[Math.min(below + 1, sorted.length - 1)];
    return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
  };

  return { NORMAL_FROM, tCdf, tQuantile, midpointQuantiles, quantileOfSorted };
})();
