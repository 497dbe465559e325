// The charts: SVG at first, plotly's when they come near the view; four of them follow the prices that are set.
{
  const { charts, looks, currency, price } = JSON.parse(document.getElementById("figures").textContent);
  const NEAR = "400px"; // of the view
  const PRINTED = { width: 440, height: 345 };
  const drawn = new Set();
  let plotly = "packed"; // then "ready", or "missing" where it cannot be unpacked

  const places = () => Object.keys(charts).map((id) => document.getElementById(id));
  const whenIdle = (work) => (globalThis.requestIdleCallback ?? setTimeout)(work);

  // Plotly's script

  const unpack = async () => {
    const packed = atob(document.getElementById("plotly-script").textContent);
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(plain).text();
    document.head.append(script);
  };

  // The page says of what is static that it shows the study's own prices.
  const keepDrawings = () =>
    places()
      .filter((place) => place.id in FOLLOWING)
      .forEach((place) => place.closest("figure").toggleAttribute("data-static", true));

  let started;
  const start = () => {
    started ??= unpack()
      .then(() => (plotly = "ready"))
      .catch(() => {
        plotly = "missing";
        keepDrawings();
      });
    return started;
  };

  const draw = (place) => {
    if (plotly !== "ready" || drawn.has(place.id)) return;
    drawn.add(place.id);
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", place.querySelector("title").textContent);
    place.replaceChildren();
    const { data, layout } = charts[place.id];
    Plotly.newPlot(place, data, layout, { responsive: true, displayModeBar: false });
  };

  // One at a time, so that a reader's scrolling and typing comes in between.
  const drawWhenIdle = (place) => whenIdle(() => start().then(() => whenIdle(() => draw(place))));

  // What other prices change is drawn anew where somebody looks, one chart a frame: it takes longer than the numbers.
  const [looked, stale] = [new Set(), new Set()];
  const repaint = (id) => {
    const place = document.getElementById(id);
    stale.delete(id);
    place.removeAttribute("aria-busy");
    Plotly.react(place, charts[id].data, charts[id].layout);
  };
  let frame = 0;
  const repaintSoon = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const id = [...stale].find((one) => looked.has(one));
      if (!id) return;
      repaint(id);
      repaintSoon();
    });
  };

  const near = new IntersectionObserver(
    (seen) => {
      for (const { isIntersecting, target } of seen) {
        if (isIntersecting) drawWhenIdle(target);
        looked[isIntersecting ? "add" : "delete"](target.id);
      }
      repaintSoon();
    },
    { rootMargin: NEAR },
  );
  whenIdle(() => places().forEach((place) => near.observe(place)));

  const resize = (change) => drawn.forEach((id) => Plotly.relayout(id, change));
  addEventListener("beforeprint", () => {
    places().forEach(draw);
    stale.forEach(repaint);
    resize({ ...PRINTED, autosize: false });
  });
  addEventListener("afterprint", () => resize({ width: null, height: null, autosize: true }));

  // Other prices: as report/charts/worth.py draws them. Traces stand in its order; what is not named stays.

  const BARS = 36;
  const IN_SIGHT = 1.5;
  const HEADROOM = 1.06;
  const ROOM = 1000;
  const [MOST_INPUTS, NARROWEST] = [12, 0.01];

  const middle = (varied) => varied[Math.floor(varied.length / 2)];

  const evenly = (amounts, chances) => (amount) => {
    if (amount <= amounts[0]) return chances[0];
    if (amount >= amounts.at(-1)) return chances.at(-1);
    const next = amounts.findIndex((one) => one > amount);
    const share = (amount - amounts[next - 1]) / (amounts[next] - amounts[next - 1]);
    return chances[next - 1] + share * (chances[next] - chances[next - 1]);
  };

  const histogram = (quantiles, margin) => {
    const amounts = quantiles.map(([, amount]) => amount);
    const [low, high] = [amounts[0], amounts.at(-1)];
    if (!(high > low)) return [];
    const width = (high - low) / BARS;
    const [first, last] = [Math.floor((low - margin) / width), Math.ceil((high - margin) / width)];
    const below = evenly(amounts, quantiles.map(([chance]) => chance));
    return Array.from({ length: last - first }, (_, i) => {
      const [from, to] = [margin + width * (first + i), margin + width * (first + i + 1)];
      return { from, to, middle: (from + to) / 2, share: 100 * (below(to) - below(from)) };
    });
  };

  const mark = (at, [low, high], shown) => ({ x: shown ? [at, at] : [null, null], y: [low, high], showlegend: shown });

  const distribution = (name, { npv, outlook }, margin) => {
    const bars = histogram(outlook.quantiles, margin);
    if (!bars.length) return null;
    const width = bars[0].to - bars[0].from;
    const top = HEADROOM * Math.max(...bars.map((bar) => bar.share));
    const reach = IN_SIGHT * (bars.at(-1).to - bars[0].from);
    const inSight = (at) => bars[0].from - reach <= at && at <= bars.at(-1).to + reach;
    const side = (worthIt, label) => {
      const chosen = bars.filter((bar) => bar.middle >= margin === worthIt);
      const [x, y] = [chosen.map((bar) => bar.middle), chosen.map((bar) => bar.share)];
      return { x, y, width, name: label, showlegend: chosen.length > 0 };
    };
    const chance = words.percent(outlook.probability_worth_it);
    return {
      title: `What ${name} may be worth`,
      says:
        `Histogram of the net present value of ${name}: with a chance of ${chance} it is worth it; ` +
        `${words.money(npv.estimate, currency)}, 95 % interval ${words.moneyInterval(npv, currency)}.`,
      traces: [
        side(false, `not worth it: ${words.percent(1 - outlook.probability_worth_it)}`),
        side(true, `worth it: ${chance}`),
        mark(0, [0, top], inSight(0)),
        { ...mark(margin, [0, top], inSight(margin) && margin !== 0), name: `margin: ${words.money(margin, currency)}` },
      ],
      layout: { yaxis: { range: [0, top] } },
    };
  };

  const escaped = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
  const named = (path) => (["cost_matrix", "value_matrix", "value_fn"].includes(path) ? `multiple of ${path}` : path);

  const tornado = (name, { npv, outlook }) => {
    const width = (bar) => Math.abs(bar.npv_at_high - bar.npv_at_low);
    const most = outlook.tornado.slice(0, MOST_INPUTS);
    const bars = most.filter((bar) => bar.flips || width(bar) >= NARROWEST * width(most[0]));
    if (!bars.length) return null;
    const base = npv.estimate;
    const rows = bars.map((_, i) => i);
    const side = (end) => ({
      x: bars.map((bar) => bar[end] - base),
      y: rows,
      base,
      customdata: bars.map((bar) => words.money(bar[end], currency)),
    });
    const flips = rows.filter((i) => bars[i].flips);
    const ends = ({ low, high }) =>
      low === null ? "as measured" : `${words.humanised(low)} to ${words.humanised(high)}`;
    return {
      title: `What the worth of ${name} hangs on`,
      says:
        `Tornado chart of ${bars.length} inputs. The widest bar is ${named(bars[0].input)}: ` +
        `${words.money(bars[0].npv_at_low, currency)} to ${words.money(bars[0].npv_at_high, currency)}.`,
      traces: [
        side("npv_at_low"),
        side("npv_at_high"),
        { x: flips.map(() => base), y: flips, showlegend: flips.length > 0 },
      ],
      layout: {
        yaxis: {
          tickvals: rows,
          ticktext: bars.map((bar) => `${escaped(named(bar.input))}<br>${ends(bar)}`),
          range: [bars.length - 0.4, -0.6],
        },
      },
    };
  };

  const acceptability = (name, { outlook }) => {
    const amounts = outlook.acceptability.map(([amount]) => amount);
    const now = middle(outlook.grid.error_prices);
    return {
      title: `Chance that ${name} is worth it, by the price of an error`,
      says:
        `Acceptability curve: at ${price} ${words.number(now)}, as now, the chance that ${name} is worth it is ` +
        `${words.percent(outlook.probability_worth_it)}.`,
      traces: [
        {
          x: amounts,
          y: outlook.acceptability.map(([, chance]) => 100 * chance),
          line: { color: looks[name].colour, width: 2 },
        },
        { x: [now, now], name: `now: ${words.number(now)}` },
      ],
      layout: { xaxis: { range: [amounts[0], amounts.at(-1)] } },
    };
  };

  const pays = (volume) => {
    if (volume === null) return "it pays at no volume";
    return volume ? `it pays from ${words.humanised(volume)} predictions a year on` : "it pays at any volume";
  };

  const breakEven = (name, { break_even_predictions_per_year: volume, outlook }) => {
    const { volumes: x, npv } = outlook.break_even_curve;
    if (!x.length) return null;
    const now = middle(outlook.grid.volumes);
    const { colour } = looks[name];
    const [low, high] = [npv.map((at) => at.low), npv.map((at) => at.high)];
    const range = [HEADROOM * Math.min(0, ...low), HEADROOM * Math.max(0, ...high)];
    const around = { x: [...x, ...[...x].reverse()], y: [...high, ...[...low].reverse()] };
    const shown = volume !== null && x[0] <= volume && volume <= x.at(-1);
    return {
      title: `Net present value of ${name} by volume`,
      says: `Break-even chart of ${name}: ${pays(volume)}.`,
      traces: [
        { ...around, fillcolor: colour },
        { x, y: npv.map((at) => at.estimate), line: { color: colour, width: 2 } },
        { x: [x[0], x.at(-1)] },
        { ...mark(now, range, now > 0), name: `now: ${words.humanised(now)}` },
        {
          x: [shown ? volume : null],
          showlegend: shown,
          name: `break-even: ${words.humanised(volume)}`,
          marker: { color: colour, symbol: "diamond", size: 10 },
        },
      ],
      layout: { xaxis: { dtick: x.at(-1) < ROOM * x[0] ? "D2" : 1 }, yaxis: { range } },
    };
  };

  const FOLLOWING = {
    "chart-npv": distribution,
    "chart-tornado": tornado,
    "chart-acceptability": acceptability,
    "chart-break-even": breakEven,
  };

  const merged = (layout, { xaxis, yaxis }) => ({
    ...layout,
    xaxis: { ...layout.xaxis, ...xaxis },
    yaxis: { ...layout.yaxis, ...yaxis },
  });

  const update = (id, found) => {
    const place = document.getElementById(id);
    const { data, layout } = charts[id];
    charts[id] = { data: data.map((trace, i) => ({ ...trace, ...found.traces[i] })), layout: merged(layout, found.layout) };
    document.getElementById(`${id}-title`).textContent = found.title;
    if (drawn.has(id)) {
      place.setAttribute("aria-label", found.says);
      place.setAttribute("aria-busy", "true");
      stale.add(id);
      repaintSoon();
    } else {
      place.querySelector("title").textContent = found.says;
    }
  };

  document.addEventListener("appraised", ({ detail: { result, changed } }) => {
    const candidate = result.candidates[result.best];
    if (!candidate?.outlook || plotly === "missing") return;
    if (changed) whenIdle(start); // before the charts come near: the drawings show the study's own prices
    for (const [id, make] of Object.entries(FOLLOWING)) {
      const found = charts[id] && make(result.best, candidate, result.margin ?? 0);
      if (found) update(id, found);
    }
  });
}
