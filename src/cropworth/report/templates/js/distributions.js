// Student's t and the normal distribution, to about twelve digits. df = Infinity is the normal one.
// The names are those of worth/interval.py where it has them; SciPy is the reference in the tests.
const distributions = (() => {
  "use strict";

  // df at which SciPy's own t stands for the normal distribution in worth/, and ours is it.
  const NORMAL_FROM = 1e9;
  const LONGEST_STEP = 0.01; // of log p; quantiles are then right to ten digits

  // Gamma(x + 1/2) / Gamma(x): a ratio of large numbers, so by its own series (Tricomi and Erdelyi 1951) at x + 40.
  const gammaRatio = (x) => {
    let factor = 1;
    for (let i = 0; i < 40; i++) factor *= (x + i) / (x + i + 0.5);
    const y = 1 / (x + 40);
    const series = 1 - y / 8 + y ** 2 / 128 + (5 * y ** 3) / 1024 - (21 * y ** 4) / 32768 - (399 * y ** 5) / 262144;
    return factor * Math.sqrt(x + 40) * series;
  };

  // What takes long and comes back, by a number and what stands beside it; forgotten together when there are too many.
  const remembered = (make, most) => {
    const known = new Map();
    return (df, beside) => {
      if (!known.has(beside)) known.set(beside, new Map());
      const own = known.get(beside);
      if (!own.has(df)) {
        if (own.size >= most) own.clear();
        own.set(df, make(df, beside));
      }
      return own.get(df);
    };
  };

  // The density's height at 0.
  const height = remembered(
    (df) => (df >= NORMAL_FROM ? 1 / Math.sqrt(2 * Math.PI) : gammaRatio(df / 2) / Math.sqrt(df * Math.PI)),
    2000,
  );

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
  const refined = (p, df, start) => {
    const top = height(df);
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

  // Quantiles at (i + 1/2) / count, count even. With tail probability p and s = -log p, and v = dt/ds = p / density(t),
  // dv/ds = -v + v^2 h(t), where h is the density's own -d log / dt (Steinbrecher and Shaw 2008, European Journal of
  // Applied Mathematics 19, 87-112). By Runge and Kutta's steps from the outermost quantile inwards, where errors die out.
  const midpointQuantiles = (df, count) => {
    const table = new Float64Array(count);
    const inverse = df >= NORMAL_FROM ? 0 : 1 / df;
    const bend = (t, v) => v * ((v * (1 + inverse) * t) / (1 + inverse * t * t) - 1);
    let p = 0.5 / count;
    let t = -tQuantile(p, df);
    let v = p / (height(df) * shape(t, df));
    for (let i = 0; i < count / 2; i++) {
      table[i] = -t;
      table[count - 1 - i] = t;
      const next = p + 1 / count;
      const way = Math.log(p / next);
      const steps = Math.ceil(-way / LONGEST_STEP);
      const h = way / steps;
      for (let step = 0; step < steps; step++) {
        const a1 = bend(t, v);
        const v2 = v + (h / 2) * a1;
        const a2 = bend(t + (h / 2) * v, v2);
        const v3 = v + (h / 2) * a2;
        const a3 = bend(t + (h / 2) * v2, v3);
        const v4 = v + h * a3;
        const a4 = bend(t + h * v3, v4);
        t += (h / 6) * (v + 2 * v2 + 2 * v3 + v4);
        v += (h / 6) * (a1 + 2 * a2 + 2 * a3 + a4);
      }
      p = next;
    }
    return table;
  };

  // A copy in ascending order. Numbers are dealt into buckets of equal width, where few are left to put in order: the
  // browser's own sort takes six times as long, and is for numbers that crowd into few buckets.
  const BUCKETS = 1 << 14;
  const CROWD = 100;

  const sorted = (values) => {
    let low = Infinity;
    let high = -Infinity;
    for (let i = 0; i < values.length; i++) {
      if (values[i] < low) low = values[i];
      if (values[i] > high) high = values[i];
    }
    const scale = (BUCKETS - 1) / (high - low);
    if (!Number.isFinite(scale)) return values.slice().sort();
    const starts = new Uint32Array(BUCKETS + 1);
    for (let i = 0; i < values.length; i++) starts[((values[i] - low) * scale) >> 0]++;
    let start = 0;
    for (let bucket = 0; bucket <= BUCKETS; bucket++) {
      const own = starts[bucket];
      if (own > CROWD) return values.slice().sort();
      starts[bucket] = start;
      start += own;
    }
    const dealt = new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) dealt[starts[((values[i] - low) * scale) >> 0]++] = values[i];
    for (let i = 1; i < dealt.length; i++) {
      const value = dealt[i];
      let at = i;
      for (; at > 0 && dealt[at - 1] > value; at--) dealt[at] = dealt[at - 1];
      dealt[at] = value;
    }
    return dealt;
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

  return { NORMAL_FROM, remembered, tCdf, tQuantile, midpointQuantiles, sorted, quantileOfSorted };
})();
