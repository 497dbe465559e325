// Money and numbers as people write them: worth/words.py and the like of report/text.py, to the letter.
const words = (() => {
  "use strict";

  const MISSING = "\u2014";
  const MINUS = "\u2212";

  // A double as whole numbers: mantissa * 2^exponent, without its sign.
  const parts = (value) => {
    const bits = new BigUint64Array(new Float64Array([value]).buffer)[0];
    const exponent = Number((bits >> 52n) & 0x7ffn);
    const fraction = bits & 0xfffffffffffffn;
    return exponent ? [fraction | 0x10000000000000n, exponent - 1075] : [fraction, -1074];
  };

  // Python's f"{value:,.{decimals}f}": the double's exact value, rounded half to even, where toFixed rounds half up.
  const fixed = (value, decimals) => {
    const [mantissa, exponent] = parts(value);
    const top = (mantissa * 10n ** BigInt(decimals)) << BigInt(Math.max(exponent, 0));
    const bottom = 1n << BigInt(Math.max(-exponent, 0));
    let digits = top / bottom;
    const twice = 2n * (top % bottom);
    if (twice > bottom || (twice === bottom && digits % 2n === 1n)) digits += 1n;
    const text = digits.toString().padStart(decimals + 1, "0");
    const whole = text.slice(0, text.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
    const sign = value < 0 || Object.is(value, -0) ? MINUS : "";
    return sign + whole + (decimals ? `.${text.slice(-decimals)}` : "");
  };

  // To so many significant digits, with thousands separated and no exponent; whole digits are all kept.
  const number = (value, digits = 3) => {
    if (value === null) return MISSING;
    return fixed(value, value ? Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value)))) : 0);
  };

  // 1234567 -> 1.23 million.
  const humanised = (value) => {
    if (value === null) return MISSING;
    if (Math.abs(value) >= 1e9) return `${number(value / 1e9)} billion`;
    if (Math.abs(value) >= 1e6) return `${number(value / 1e6)} million`;
    return number(value);
  };

  // 1234567 -> EUR 1.23 million.
  const money = (amount, currency) => (amount === null ? MISSING : `${currency} ${humanised(amount)}`);

  // 1234.5 -> 1,234.
  const count = (value) => fixed(value, 0);

  // 0.1234 -> 12.3 %.
  const percent = (fraction, decimals = 1) => (fraction === null ? MISSING : `${fixed(100 * fraction, decimals)} %`);

  // 1.42 -> 1.4 years; 0 -> at once.
  const years = (value) => {
    if (value === null) return MISSING;
    if (value <= 0) return "at once";
    return value >= 0.1 ? `${number(value, 2)} years` : "under 0.1 years";
  };

  // The interval's ends, or that they are not known; empty where there is not even an estimate.
  const moneyInterval = (interval, currency) => {
    if (interval.estimate === null) return "";
    if (interval.low === null || interval.high === null) return "interval not known";
    return `${money(interval.low, currency)} to ${money(interval.high, currency)}`;
  };

  // A percentage, or 'dominates' where the candidate costs no more and a ratio has no meaning.
  const returnOnInvestment = (candidate) => (candidate.dominates ? "dominates" : percent(candidate.roi, 0));

  return { MISSING, number, humanised, money, count, percent, years, moneyInterval, returnOnInvestment };
})();
