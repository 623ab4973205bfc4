/* Moves the figures of "another budget" with the slider; reads nothing but the page itself. */
"use strict";
(() => {
  const section = document.getElementById("budget");
  const source = document.getElementById("response");
  if (!section || !source) return;
  const data = JSON.parse(source.textContent);
  const slider = section.querySelector("input[type=range]");
  const at = (name) => section.querySelector(`[data-figure="${name}"]`);
  const last = data.budget.length - 1;

  /* The position of a budget among the points: the left one and the share of the way on. */
  function position(budget) {
    let right = 1;
    while (right < last && data.budget[right] < budget) right += 1;
    const left = right - 1, wide = data.budget[right] - data.budget[left];
    const share = wide > 0 ? (budget - data.budget[left]) / wide : 1;
    return { left, right, share: Math.min(Math.max(share, 0), 1) };
  }
  const on = (series, { left, right, share }) =>
    series[left] + share * (series[right] - series[left]);
  const has = (name) => data.groups.every((group) => group[name].length > 0);
  const total = (name, place) => has(name)
    ? data.groups.reduce((sum, group) => sum + on(group[name], place), 0) : null;

  /* Numbers as the rest of the page writes them. */
  function fixed(value, digits) {
    const text = Math.abs(value).toLocaleString("en-US",
      { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
  }
  const number = (value) => value === null || !Number.isFinite(value) ? "–"
    : fixed(value, Math.abs(value) >= 100 || value === 0 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
  function brief(value) {
    if (value === null || !Number.isFinite(value)) return "–";
    for (const [step, unit] of data.units) {
      if (Math.abs(value) >= step * (1 - 5e-5)) {
        const size = value / step;
        const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(size))));
        const text = fixed(size, digits);
        return (text.includes(".") ? text.replace(/\.?0+$/, "") : text) + unit;
      }
    }
    return fixed(value, Math.abs(value) >= 1000 ? 0 : 2);
  }
  const percent = (share) => Number.isFinite(share) ? `${fixed(share * 100, 1)}${data.space}%` : "–";
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  /* What a budget brings; the return of further money over a fortieth of the range. */
  function figures(budget) {
    const place = position(budget);
    const reach = (data.budget[last] - data.budget[0]) / 40;
    const low = position(Math.max(budget - reach, data.budget[0]));
    const high = position(Math.min(budget + reach, data.budget[last]));
    const more = on(data.budget, high) - on(data.budget, low);
    const spend = total("spend", place), cost = total("cost", place);
    const conversions = total("conversions", place);
    return {
      place, spend, cost, conversions,
      value: on(data.value, place),
      treated: total("treated", place),
      marginal: on(data.price, place) * data.step,
      marginal_return: spend === null ? null : (total("spend", high) - total("spend", low)) / more,
      per_conversion: conversions > 0 ? cost / conversions : null,
    };
  }

  const plan = figures(data.plan);
  const shown = {
    value: number, conversions: number, spend: brief, treated: (v) => fixed(Math.round(v), 0),
    cost: brief, marginal: number, marginal_return: number, per_conversion: brief,
  };

  const full = {  /* in the table of groups figures stand in full, so that they compare */
    treated: (v) => fixed(Math.round(v), 0), conversions: number,
    spend: (v) => fixed(v, Math.abs(v) >= 1000 ? 0 : 2),
    cost: (v) => fixed(v, Math.abs(v) >= 1000 ? 0 : 2),
  };

  function where(budget, { left, right, share }) {
    if (data.exact) return data.words.here_exact;
    if (share === 0 || share === 1) return data.words.here_solved;
    return fill(data.words.here_between,
      { low: brief(data.budget[left]), high: brief(data.budget[right]) });
  }
  function against(now, before) {
    if (budget === data.plan || now === null || !(before > 0)) return "";
    const change = now / before - 1;
    if (Math.abs(change) < 5e-4) return data.words.same;
    if (change >= 9) return `×${data.space}${fixed(change + 1, 0)}`;  // percents read badly there
    return `${change > 0 ? "+" : ""}${percent(change)}`;
  }

  let budget = data.plan;  // the slider's own value is rounded to its step

  function show() {
    const now = figures(budget);
    const amount = fill(data.words.amount, { amount: brief(budget) });
    slider.setAttribute("aria-valuetext", amount);
    at("budget").textContent = amount;
    at("share").textContent = fill(data.words.of_plan, { share: percent(budget / data.plan) });
    at("where").textContent = where(budget, now.place);
    for (const [name, format] of Object.entries(shown)) {
      const card = at(name);
      if (!card) continue;
      card.textContent = format(now[name]);
      at(`${name}-change`).textContent = against(now[name], plan[name]);
    }
    const most = Math.max(now.cost, 1e-300);
    data.groups.forEach((group, row) => {
      if (!section.querySelector(`[data-group="${row}"]`)) return;  /* one group has no table */
      for (const name of Object.keys(full)) {
        const cell = section.querySelector(`[data-group="${row}"] [data-cell="${name}"]`);
        if (cell) cell.textContent = group[name].length ? full[name](on(group[name], now.place)) : "–";
      }
      const share = on(group.cost, now.place) / most;
      section.querySelector(`[data-group="${row}"] [data-cell="share"]`).textContent = percent(share);
      section.querySelector(`[data-group="${row}"] .bar i`).style.width = `${(100 * share).toFixed(1)}%`;
    });
    section.querySelectorAll("svg[data-plot]").forEach((svg) => move(svg, now));
  }
  function move(svg, now) {
    const [x0, y0, x1, y1, left, right, low, high] = svg.dataset.scale.split(" ").map(Number);
    const mark = svg.querySelector(".now");
    if (!mark) return;
    const x = x0 + (budget - left) / (right - left) * (x1 - x0);
    const y = y0 + (now[svg.dataset.plot] - low) / (high - low) * (y1 - y0);
    mark.removeAttribute("display");
    mark.querySelector("path").setAttribute("d", `M${x} ${y}V${y0}`);
    mark.querySelector("circle").setAttribute("cx", x);
    mark.querySelector("circle").setAttribute("cy", y);
  }

  slider.addEventListener("input", () => {
    budget = Number(slider.value);
    show();
  });
  section.querySelector("button[data-reset]").addEventListener("click", () => {
    budget = data.plan;
    slider.value = budget;
    show();
  });
  show();
})();
