"use strict";
// Draws what the pages of the catalog cannot hold as HTML: rows, charts, and the difference between any two versions.
// A page's data comes from data/<dataset>.js, which calls registryCatalog(); pages work from file://, without a network.

const registryCatalog = (() => {
  const own = document.currentScript.dataset;
  const base = own.base ?? "";
  const PAGE = 50; // rows of a version that are drawn at once, ...
  const FOLDED = 400; // characters of a text that are not folded
  const SHOWN = 20; // ... and those that differ
  const WIDEST = 200; // columns that a table has
  const ODD = /[\p{C}\p{Zl}\p{Zp}]/u;
  const byId = (id) => document.getElementById(id);
  const [digits, whole] = [{ maximumSignificantDigits: 6 }, {}].map((options) => new Intl.NumberFormat("en", options));
  const number = (value) => (typeof value !== "number" ? String(value) : (Number.isSafeInteger(value) ? whole : digits).format(value));
  // Integers in data may be years or ids, which nobody counts by thousands.
  const figure = (value) => (Number.isSafeInteger(value) ? String(value) : number(value));

  // --- text of others ------------------------------------------------------------------------------------------------

  function element(name, properties = {}, ...children) {
    const found = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "class") found.className = value;
      else found.setAttribute(key, value);
    }
    found.append(...children.filter((child) => child !== null && child !== undefined));
    return found;
  }

  function marked(text) {
    const found = document.createDocumentFragment();
    let plain = "";
    for (const char of String(text)) {
      if (char === "\n" || char === "\t" || !ODD.test(char)) {
        plain += char;
        continue;
      }
      found.append(plain, element("span", { class: "odd" }, `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`));
      plain = "";
    }
    found.append(plain);
    return element("bdi", {}, found);
  }

  // What is called `constructor`, or so, may not be there.
  const countOf = (values, name) => (Object.hasOwn(values, name) ? values[name] : 0);

  function spelt(text) {
    return Array.from(String(text), (char) => (ODD.test(char) ? `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` : char)).join("");
  }

  // --- rows, numbered over all versions ------------------------------------------------------------------------------

  function expanded(runs, length) {
    const found = new Uint32Array(length);
    let place = 0;
    for (const [first, count] of runs) for (let step = 0; step < count; step++) found[place++] = first + step;
    return found;
  }

  const total = (runs) => runs.reduce((sum, [, length]) => sum + length, 0);

  function prepared(data) {
    if (data.ready) return data;
    const split = new Uint16Array(data.total);
    data.splitNames = [];
    let place = 0;
    for (const [name, length] of data.splits ?? []) {
      let code = data.splitNames.indexOf(name);
      if (code < 0) code = data.splitNames.push(name) - 1;
      split.fill(code, place, (place += length));
    }
    data.of = { split, sample: expanded(data.samples ?? [], data.total), input: expanded(data.inputs ?? [], data.total), key: expanded(data.keys ?? [], data.total) };
    data.byVersion = new Map(data.versions.map((one) => [one.version, one]));
    data.ready = true;
    return data;
  }

  const rowsOf = (version) => (version.list ??= expanded(version.rows ?? [], total(version.rows ?? [])));

  const unknown = (data) => (data.scattered ? "The versions have their rows in orders too different for this page; registry diff compares them." : "The rows are not known here.");

  const holders = (data, row) => data.versions.filter((one) => (one.rows ?? []).some(([first, length]) => row >= first && row < first + length));

  // The splits of two versions, in the order of the older one, then of the newer one; of a Map the order is kept.
  const splitsOf = (before, after) => [...new Set([...before.splits, ...after.splits].map(([name]) => name))];

  // Splits that both versions have, and that are the same in every column that both have: there, nothing was changed.
  function sameSplits(before, after) {
    const place = ({ schema }) => new Map(schema.map((column, at) => [JSON.stringify(column), at]));
    const there = place(after);
    const shared = [...place(before)].filter(([column]) => there.has(column)).map(([column, at]) => [at, there.get(column)]);
    const [olds, news] = [before, after].map((one) => new Map(one.digests));
    const same = (old, now) => now !== undefined && shared.length > 0 && shared.every(([at, other]) => old[at] === now[other]);
    return new Set([...olds].filter(([name, old]) => same(old, news.get(name))).map(([name]) => name));
  }

  // As `registry diff` pairs rows, each once: the same sample in the same split, then in another one, then the same key
  // in the same split; what is left was removed or added. Among copies of a sample, those with the same key come first.
  // Splits that are the same are not looked at.
  function paired(data, before, after) {
    const { split, sample, input, key } = data.of;
    const sameColumns = JSON.stringify(before.schema) === JSON.stringify(after.schema);
    const same = sameSplits(before, after);
    const codes = splitsOf(before, after).filter((name) => !same.has(name)).map((name) => data.splitNames.indexOf(name));
    const wanted = new Set(codes);
    const [left, right] = [before, after].map((one) => rowsOf(one).filter((row) => wanted.has(split[row])));
    const [by, identity] = sameColumns || !codes.length ? ["sample_id", sample] : knownInputs(input, left, right) ? ["input_id", input] : ["key", key];
    const [splits, rows] = [data.splitNames.length, data.total];
    const here = (row) => identity[row] * splits + split[row];
    const exact = splits * rows ** 2 < Number.MAX_SAFE_INTEGER ? (row) => here(row) * rows + key[row] : (row) => `${here(row)}/${key[row]}`;
    const [, ...others] = match(...withoutEnds(data, identity, codes, left, right), exact);
    const [, old, fresh] = match(...others, here);
    const [kept, ...loose] = match(old, fresh, (row) => identity[row] * rows + key[row]);
    const [carried, gone, come] = match(...loose, (row) => identity[row]);
    const [changed, removed, added] = match(gone, come, (row) => key[row] * splits + split[row]);
    return { by, moved: kept.concat(carried), changed, removed, added };
  }

  // Rows that are the same, one after another, from the beginning of a split, or up to its end, are where they were.
  function withoutEnds(data, identity, codes, left, right) {
    const { split, key } = data.of;
    const bySplit = (rows) => Map.groupBy(rows, (row) => split[row]);
    const [befores, afters] = [bySplit(left), bySplit(right)];
    const [old, fresh] = [[], []];
    for (const code of new Set(codes)) {
      const [before, after] = [befores.get(code) ?? [], afters.get(code) ?? []];
      const shorter = Math.min(before.length, after.length);
      const alike = (by, end) => {
        let number = 0;
        while (number < end && by[before[number]] === by[after[number]]) number++;
        return number;
      };
      let head = alike(identity, shorter);
      if (head < before.length) head = alike(key, head);
      let tail = 0;
      while (tail < shorter - head && identity[before.at(-1 - tail)] === identity[after.at(-1 - tail)]) tail++;
      for (let at = head; at < before.length - tail; at++) old.push(before[at]);
      for (let at = head; at < after.length - tail; at++) fresh.push(after[at]);
    }
    return [old, fresh];
  }

  function knownInputs(input, left, right) {
    const known = new Set(right.map((row) => input[row]));
    const shared = left.reduce((sum, row) => sum + known.has(input[row]), 0);
    return 2 * shared >= Math.min(left.length, right.length);
  }

  // Pairs rows of one identity, a number, in their order; returns also those on the left and on the right that are left.
  function match(left, right, identity) {
    const [first, following, taken] = [new Map(), new Int32Array(right.length), new Uint8Array(right.length)];
    for (let at = right.length - 1; at >= 0; at--) {
      const id = identity(right[at]);
      following[at] = first.get(id) ?? -1;
      first.set(id, at);
    }
    const [pairs, rest] = [[], []];
    for (const row of left) {
      const id = identity(row);
      const at = first.get(id) ?? -1;
      if (at < 0) {
        rest.push(row);
        continue;
      }
      pairs.push([row, right[at]]);
      taken[at] = 1;
      first.set(id, following[at]);
    }
    return [pairs, rest, Array.from(right).filter((_, at) => !taken[at])];
  }

  // --- values --------------------------------------------------------------------------------------------------------

  // A long text shows its beginning until somebody opens it.
  function folded(text, note) {
    if (text.length <= FOLDED) return note ? element("span", {}, marked(text), note) : marked(text);
    return element("details", {}, element("summary", {}, marked(`${text.slice(0, FOLDED / 2)}…`)), marked(text), note);
  }

  function shown(value) {
    if (value === null || value === undefined) return element("span", { class: "held" }, "missing");
    if (typeof value === "number") return document.createTextNode(figure(value));
    if (typeof value !== "object") return folded(value);
    if ("picture" in value) {
      const small = Math.max(value.width, value.height) <= 64;
      return element("img", { src: picture(value.picture), alt: `a picture of ${value.width} by ${value.height} pixels`, class: small ? "pixels" : null, loading: "lazy" });
    }
    if ("messages" in value) {
      const turns = value.messages.map(([role, content]) => element("li", {}, element("b", {}, shown(role)), shown(content)));
      return element("ol", { class: "chat" }, ...turns);
    }
    if ("numbers" in value) return document.createTextNode(`${value.numbers.map((one) => (typeof one === "number" ? one.toPrecision(3) : one)).join(", ")}${value.of > value.numbers.length ? ` … ${number(value.of)} numbers` : ""}`);
    if ("text" in value) return folded(value.text, element("span", { class: "held" }, ` … ${number(value.of)} characters in all`));
    return element("span", { class: "held" }, value.note ?? "");
  }

  const picture = (name) => pictures[name] ?? `${base}pictures/${name}`;
  const pictures = {};

  function textOf(value) {
    if (value === null || value === undefined) return "";
    if (typeof value !== "object") return String(value);
    if ("messages" in value) return value.messages.flat().map(textOf).join(" ");
    return value.text ?? "";
  }

  const isWide = (value) => value !== null && typeof value === "object" && ("picture" in value || "messages" in value);

  const wrongFirst = (data, wrong) => data.columns.map((_, place) => place).sort((one, other) => (data.columns[other] === wrong) - (data.columns[one] === wrong));

  // The column that something is wrong with is shown even without a value.
  function rowCard(data, row, values, wrong) {
    const cells = wrongFirst(data, wrong).flatMap((place) => {
      const [name, value] = [data.columns[place], values[place]];
      if ((value === null || value === undefined) && name !== wrong) return [];
      if (isWide(value) && "picture" in value) return [shown(value)];
      return [element("dl", { class: name === wrong ? "wrong" : null }, element("dt", {}, marked(name)), element("dd", {}, shown(value)))];
    });
    cells.sort((one, other) => (other.tagName === "IMG") - (one.tagName === "IMG"));
    return element("article", { class: "card" }, ...cells, element("p", { class: "key" }, marked(data.names[row] ?? "")));
  }

  // --- the rows of a version -----------------------------------------------------------------------------------------

  function viewer(data, version) {
    const place = byId("viewer");
    if (!place) return;
    if (!version.rows) {
      place.textContent = unknown(data);
      byId("find").hidden = true;
      return;
    }
    const held = new Set(rowsOf(version));
    const several = data.versions.length > 1;
    const all = Object.keys(data.values).map(Number);
    const texts = new Map(all.map((row) => [row, `${data.names[row]} ${data.values[row].map(textOf).join(" ")}`.toLowerCase()]));
    const order = [...rowsOf(version)].filter((row) => row in data.values);
    const wide = order.some((row) => data.values[row].some(isWide));
    const state = { limit: PAGE, sort: null, descending: false };
    const [words, splits, more, count] = ["words", "split", "more", "count"].map(byId);

    function chosen() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = (wanted.length ? all : order).filter((row) => (!splits.value || data.splitNames[data.of.split[row]] === splits.value) && wanted.every((word) => texts.get(row).includes(word)));
      if (state.sort === null) return [rows, wanted];
      const value = (row) => data.values[row][state.sort] ?? "";
      rows.sort((one, other) => compareValues(value(one), value(other)) * (state.descending ? -1 : 1));
      return [rows, wanted];
    }

    function draw() {
      const [rows, wanted] = chosen();
      const some = rows.slice(0, state.limit);
      const searched = all.length < data.total ? ` This page has the values of ${number(all.length)} of ${number(data.total)} rows.` : "";
      count.textContent = wanted.length ? `${number(rows.length)} of ${number(all.length)} rows${several ? " of all versions" : ""} have these words.${searched}` : `${number(rows.length)} of ${number(held.size)} rows.${searched}`;
      place.replaceChildren(wide ? element("div", { class: "cards" }, ...some.map((row) => withHolders(rowCard(data, row, data.values[row]), row, wanted))) : table(some, wanted));
      more.hidden = rows.length <= state.limit;
    }

    function withHolders(card, row, wanted) {
      if (wanted.length && several) card.append(held_(row));
      return card;
    }

    function held_(row) {
      const versions = holders(data, row);
      const links = versions.flatMap((one, at) => [at ? ", " : "", element("a", { href: `${one.tag}.html` }, one.version)]);
      return element("p", { class: "held" }, "in ", ...links);
    }

    function table(rows, wanted) {
      const its = data.columns.map((_, at) => at).filter((at) => rows.some((row) => data.values[row][at] !== null && data.values[row][at] !== undefined) || version.schema.some(([name]) => name === data.columns[at]));
      const used = its.slice(0, WIDEST);
      const heads = used.map((at) => {
        const button = element("button", { type: "button" }, marked(data.columns[at]));
        button.addEventListener("click", () => {
          state.descending = state.sort === at && !state.descending;
          state.sort = at;
          draw();
          place.querySelectorAll("th button")[used.indexOf(at)].focus();
        });
        const sorted = state.sort === at ? (state.descending ? "descending" : "ascending") : null;
        return element("th", { scope: "col", "aria-sort": sorted }, button);
      });
      const body = rows.map((row) => {
        const cells = used.map((at) => {
          const value = data.values[row][at];
          return element("td", { class: typeof value === "number" ? "number" : textOf(value).length > 60 ? "cell long" : "cell" }, shown(value));
        });
        const split = element("td", {}, marked(data.splitNames[data.of.split[row]]));
        return element("tr", {}, split, ...cells, wanted.length && several ? element("td", {}, held_(row)) : null);
      });
      const last = wanted.length && several ? element("th", { scope: "col" }, "Versions") : null;
      const caption = its.length > WIDEST ? element("caption", {}, `The first ${WIDEST} of ${number(its.length)} columns`) : null;
      return element("table", {}, caption, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Split"), ...heads, last)), element("tbody", {}, ...body));
    }

    words.addEventListener("input", () => ((state.limit = PAGE), draw()));
    splits.addEventListener("change", () => ((state.limit = PAGE), draw()));
    more.addEventListener("click", () => ((state.limit += PAGE), draw()));
    draw();
  }

  function compareValues(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return textOf(one).localeCompare(textOf(other), "en", { numeric: true });
  }

  // --- charts --------------------------------------------------------------------------------------------------------

  const COLOURS = ["var(--one)", "var(--two)", "var(--three)", "var(--four)"];
  const MEASURES = { value: "values", width: "width in pixels", height: "height in pixels", norm: "length of the vector", similarity: "likeness to the mean vector", bytes: "size in bytes" };

  // Bins are 2**power wide and begin at multiples of that: the finer of two histograms is added up to the coarser one.
  function coarser({ power, first, counts }, wanted) {
    const factor = 2 ** (wanted - power);
    const start = Math.floor(first / factor);
    const found = [];
    counts.forEach((count, at) => {
      const place = Math.floor((first + at) / factor) - start;
      found[place] = (found[place] ?? 0) + count;
    });
    return { first: start, counts: Array.from(found, (count) => count ?? 0) };
  }

  function barsOf(series) {
    const power = Math.max(...series.map(([, one]) => one.histogram.power));
    const [width, times] = [2 ** power, { day: 86400000, microsecond: 0.001 }[series[0][1].unit] ?? 1];
    return series.flatMap(([name, one]) => {
      const { first, counts } = coarser(one.histogram, power);
      const all = counts.reduce((sum, count) => sum + count, one.histogram.below + one.histogram.above);
      return counts.map((count, at) => ({ series: name, from: (first + at) * width * times, to: (first + at + 1) * width * times, share: count / all }));
    });
  }

  function chartOf(measure, series) {
    const colour = { field: "series", scale: { domain: series.map(([name]) => name), range: COLOURS }, legend: null };
    if (measure === "classes") {
      const totals = new Map();
      for (const [, one] of series) for (const [value, count] of Object.entries(one.values)) totals.set(value, (totals.get(value) ?? 0) + count);
      const values = [...totals].sort((one, other) => other[1] - one[1]).slice(0, 20).map(([value]) => value);
      const bars = series.flatMap(([name, one]) => values.map((value) => ({ series: name, value: spelt(value), share: countOf(one.values, value) / one.count })));
      return {
        mark: { type: "bar", aria: false },
        data: { values: bars },
        height: values.length * Math.max(9 * series.length, 18),
        encoding: {
          y: { field: "value", type: "nominal", sort: null, axis: { title: null, labelLimit: 140 } },
          yOffset: { field: "series", sort: series.map(([name]) => name) },
          x: { field: "share", type: "quantitative", axis: { format: "~%", title: null, tickCount: 4 } },
          color: colour,
        },
      };
    }
    const scale = measure === "time" ? { type: "temporal", scale: { type: "utc" } } : { type: "quantitative", bin: { binned: true }, scale: { zero: false } };
    return {
      mark: { type: "bar", opacity: series.length > 1 ? 0.55 : 1, aria: false, binSpacing: 0 },
      data: { values: barsOf(series) },
      height: 110,
      encoding: {
        x: { field: "from", ...scale, axis: { title: null, tickCount: 5, ...(measure === "time" ? {} : { format: "~s" }) } },
        x2: { field: "to" },
        y: { field: "share", type: "quantitative", stack: null, axis: { format: "~%", title: null, tickCount: 3 } },
        y2: { datum: 0 },
        color: colour,
      },
    };
  }

  const CONFIG = { background: null, view: { stroke: null }, axis: { labelColor: "currentColor", tickColor: "currentColor", domainColor: "currentColor", gridOpacity: 0.12, gridColor: "currentColor", labelFont: "system-ui, sans-serif", labelFontSize: 11 } };

  function draw(place, spec) {
    const width = Math.max(place.clientWidth, 120);
    const compiled = vegaLite.compile({ ...spec, width: width, autosize: { type: "fit-x", contains: "padding" }, padding: 2, config: CONFIG }).spec;
    const view = new vega.View(vega.parse(compiled, null, { ast: true }), { expr: vega.expressionInterpreter, renderer: "svg", container: place, hover: false });
    return view.runAsync();
  }

  function panel(measure, series) {
    const known = series.slice(0, COLOURS.length).filter(([, one]) => one.count && (measure === "classes" || one.histogram));
    if (!known.length) return null;
    const words = known.map(([name, one]) => `${name}: ${inWords(measure, one)}`).join("; ");
    const title = MEASURES[measure] ?? measure;
    const chart = element("div", { class: "chart", role: "img", "aria-label": spelt(beginning(`${title}. ${words}`)) });
    const legend = known.map(([name, one], at) => element("li", {}, swatch(at), marked(name), `: ${inWords(measure, one)}`));
    const constant = measure !== "classes" && known.every(([, one]) => one.quantiles.min === known[0][1].quantiles.max && one.quantiles.max === known[0][1].quantiles.max);
    const drawn = !constant && (measure === "classes" || isDrawable(measure, barsOf(known)));
    if (drawn) whenSeen(chart, () => draw(chart, chartOf(measure, known)));
    return element("div", {}, element("p", {}, title), drawn ? chart : null, element("ul", { class: "legend" }, ...legend));
  }

  const beginning = (text, length = 300) => (text.length > length ? `${text.slice(0, length)}…` : text);

  function swatch(at) {
    const found = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    found.setAttribute("viewBox", "0 0 10 10");
    found.setAttribute("aria-hidden", "true");
    const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ width: 10, height: 10, rx: 2, class: `c${at}` })) box.setAttribute(name, value);
    found.append(box);
    return found;
  }

  const LAST = 8.64e15; // milliseconds from 1970 to the last day that JavaScript has
  const dayOf = (time) => (Math.abs(time) <= LAST ? new Date(time).toISOString().slice(0, 10) : "beyond all calendars");

  // Scales of what is nearly infinite, or has no width, cannot be drawn.
  const isDrawable = (measure, bars) => bars.every(({ from, to, share }) => share >= 0 && to - from > 1e-300 && Math.max(-from, to) < (measure === "time" ? LAST : 1e300));

  function inWords(measure, { values, others, quantiles, unit, sampled }) {
    if (measure === "classes") return `${number(Object.keys(values).length)} ${Object.keys(values).length === 1 ? "value" : "values"}${others ? " and others" : ""}`;
    const said = (value) => (unit ? dayOf(value * { day: 86400000, microsecond: 0.001 }[unit]) : figure(value));
    if (quantiles.min === quantiles.max) return `always ${said(quantiles.min)}`;
    return `${said(quantiles.min)} to ${said(quantiles.max)}, half at most ${said(quantiles["50"])}${sampled ? `, of ${number(sampled)} rows` : ""}`;
  }

  const missingOf = (one) => `${((100 * one.missing) / (one.count + one.missing || 1)).toFixed(1)} % missing`;

  function missing(rows) {
    const said = Object.entries(rows).filter(([, one]) => one.missing).map(([split, one]) => `${split}: ${missingOf(one)}`);
    return said.length ? element("p", {}, marked(said.join(", "))) : null;
  }

  function movedMissing(before, after) {
    const [old, now] = [missingOf(before), missingOf(after)];
    return old === now ? null : element("p", {}, element("del", {}, old), " ", element("ins", {}, now));
  }

  let watcher;
  const waiting = new Map();
  function whenSeen(place, work) {
    watcher ??= new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        watcher.unobserve(entry.target);
        waiting.get(entry.target)?.();
        waiting.delete(entry.target);
      }
    }, { rootMargin: "400px" });
    waiting.set(place, work);
    watcher.observe(place);
  }

  function drawAll() {
    for (const [place, work] of waiting) {
      watcher.unobserve(place);
      work();
    }
    waiting.clear();
  }

  // Where all values are named, their numbers or lengths tell no more.
  const telling = (measures) => Object.entries(measures).filter(([measure]) => !["value", "characters"].includes(measure) || Object.values(measures.classes ?? { none: { others: 1 } }).some((one) => one.others || Object.keys(one.values).length > 50));

  function columns(version) {
    for (const article of document.querySelectorAll(".column")) {
      const measures = version.profile?.[article.dataset.column] ?? {};
      const place = article.querySelector(".charts");
      for (const [measure, splits] of telling(measures)) {
        const found = measure === "rows" ? missing(splits) : panel(measure, Object.entries(splits));
        if (found) place.append(found);
      }
      if (!place.childElementCount) place.append(element("p", {}, "No distribution is known."));
    }
  }

  // --- the difference between two versions ---------------------------------------------------------------------------

  function difference(data, from, to) {
    const place = byId("diff");
    const [before, after] = [data.byVersion.get(from), data.byVersion.get(to)];
    const title = element("h1", {}, marked(data.title), " ", element("span", { class: "version" }, `${from} → ${to}`));
    document.title = `${data.name} ${from} → ${to}`;
    const found = [title, pages(data, from, to)];
    if (!before || !after) {
      const missing = [from, to].filter((one) => !data.byVersion.has(one)).join(" and ");
      found.push(element("p", { class: "notice" }, `This catalog has no version ${missing} of ${data.name}.`));
      place.replaceChildren(...found);
      return;
    }
    for (const one of [before, after]) {
      if (one.problem) found.push(element("p", { class: "notice" }, `${one.version}: its rows cannot be shown: `, marked(one.problem), "."));
      if (one.without_values) found.push(element("p", { class: "notice" }, `${one.version}: values that only its rows have are not shown: `, marked(one.without_values), "."));
    }
    if (data.verdict) found.push(element("p", { class: "notice" }, "Not released: ", marked(data.verdict), "."));
    if (data.alike?.length) found.push(section(`Rows like tests of ${from}`, drawnCases(data, data.alike)));
    if (before.schema && after.schema) {
      found.push(schemaSection(before, after));
      if (before.rows && after.rows) found.push(...rowsSections(data, before, after));
      else found.push(section("Rows", element("p", {}, unknown(data))));
      found.push(chartsSection(before, after), factsSection(before, after));
    }
    place.replaceChildren(...found.filter(Boolean));
  }

  function pages(data, from, to) {
    if (data.alone) return null;
    const choose = (id, chosen) => element("select", { id }, ...data.versions.map((one) => element("option", { selected: one.version === chosen ? "" : null }, one.version)));
    const form = element("form", { class: "tools", id: "compare", "data-dataset": data.name }, element("label", {}, "Compare", choose("from", from)), element("label", {}, "with", choose("to", to)), element("button", { type: "submit" }, "Show the difference"));
    form.append(element("a", { href: `${base}datasets/${data.name}.html` }, "All about this dataset"));
    comparing(form);
    return form;
  }

  function schemaSection(before, after) {
    const [old, now] = [new Map(before.schema), new Map(after.schema)];
    const lines = [];
    for (const [name, dtype] of now) if (!old.has(name)) lines.push(element("li", {}, element("ins", {}, marked(name), " ", marked(dtype)), " is new"));
    for (const [name, dtype] of old) if (!now.has(name)) lines.push(element("li", {}, element("del", {}, marked(name), " ", marked(dtype)), " is gone"));
    for (const [name, dtype] of now) if (old.has(name) && old.get(name) !== dtype) lines.push(element("li", {}, marked(name), ": ", element("del", {}, marked(old.get(name))), " ", element("ins", {}, marked(dtype))));
    return section("Columns", lines.length ? element("ul", {}, ...lines) : element("p", {}, "The columns are the same."));
  }

  function rowsSections(data, before, after) {
    const pairs = paired(data, before, after);
    const splitOf = (row) => data.splitNames[data.of.split[row]];
    const names = splitsOf(before, after);
    const [sizes, newSizes] = [before, after].map((one) => new Map(one.splits));
    const tally = (rows) => {
      const found = new Map(names.map((name) => [name, 0]));
      for (const row of rows) found.set(splitOf(row), found.get(splitOf(row)) + 1);
      return found;
    };
    const counts = { added: tally(pairs.added), removed: tally(pairs.removed), changed: tally(pairs.changed.map(([row]) => row)), out: tally(pairs.moved.map(([row]) => row)), in: tally(pairs.moved.map(([, row]) => row)) };
    const head = ["Split", "Before", "After", "Added", "Removed", "Changed", "Moved in", "Moved out"].map((text, at) => element("th", { scope: "col", class: at ? "number" : null }, text));
    const body = names.map((name) => {
      const numbers = [sizes.get(name) ?? 0, newSizes.get(name) ?? 0, ...[counts.added, counts.removed, counts.changed, counts.in, counts.out].map((one) => one.get(name))];
      return element("tr", {}, element("th", { scope: "row" }, marked(name)), ...numbers.map((one) => element("td", { class: "number" }, number(one))));
    });
    const table = element("div", { class: "scroll", role: "region", "aria-label": "Rows by split", tabindex: "0" }, element("table", { id: "counts" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
    const by = { sample_id: "", input_id: "Columns differ, so rows are held together by their inputs.", key: "Columns differ, so rows are held together by their keys." }[pairs.by];
    const found = [section("Rows", by ? element("p", {}, by) : null, table)];
    if (pairs.changed.length) found.push(changes(data, pairs.changed));
    if (pairs.moved.length) found.push(cards(data, "Moved", pairs.moved, ([row, other]) => `${splitOf(row)} → ${splitOf(other)}`));
    if (pairs.added.length) found.push(cards(data, "Added", pairs.added.map((row) => [row]), ([row]) => splitOf(row)));
    if (pairs.removed.length) found.push(cards(data, "Removed", pairs.removed.map((row) => [row]), ([row]) => splitOf(row)));
    return found;
  }

  function examples(data, title, pairs, list, place, drawn) {
    const known = pairs.filter((rows) => rows.every((row) => row in data.values));
    const note = element("p", { class: "held" });
    const more = element("button", { type: "button" }, "Show more");
    let at = 0;
    function next() {
      list.append(...known.slice(at, at + SHOWN).flatMap(drawn));
      at = Math.min(at + SHOWN, known.length);
      more.hidden = at >= known.length;
      note.textContent = `${number(at)} of ${number(pairs.length)} are shown${known.length < pairs.length ? `; this page has the values of ${number(known.length)}` : ""}.`;
    }
    more.addEventListener("click", next);
    next();
    return section(title, note, known.length ? place : null, more);
  }

  function titled(data, row, text) {
    const card = rowCard(data, row, data.values[row]);
    card.prepend(element("p", { class: "key" }, marked(text)));
    return card;
  }

  const differs = (old, now, at) => JSON.stringify(old[at] ?? null) !== JSON.stringify(now[at] ?? null);

  // A row's texts that stayed tell which row it is.
  function changedRow(data, row, other) {
    const [old, now] = [data.values[row], data.values[other]];
    const same = data.columns.flatMap((name, at) => (differs(old, now, at) ? [] : [textOf(now[at])])).filter(Boolean);
    const differing = data.columns.map((_, at) => at).filter((at) => differs(old, now, at));
    return differing.map((at, place) => {
      const texts = typeof old[at] === "string" && typeof now[at] === "string";
      const [before, after] = texts ? words(old[at], now[at]) : [element("del", {}, shown(old[at])), element("ins", {}, shown(now[at]))];
      const about = element("th", { scope: "rowgroup", rowspan: differing.length }, marked(data.names[other] ?? ""), element("small", {}, marked(beginning(same.join(", "), 120))));
      return element("tr", {}, place ? null : about, element("td", {}, marked(data.columns[at])), element("td", { class: "cell" }, before), element("td", { class: "cell" }, after));
    });
  }

  function changes(data, pairs) {
    const heads = ["Row", "Column", "Before", "After"].map((text) => element("th", { scope: "col" }, text));
    const body = element("tbody", {});
    const table = element("div", { class: "scroll", role: "region", "aria-label": "Changed rows", tabindex: "0" }, element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body));
    return examples(data, "Changed", pairs, body, table, ([row, other]) => changedRow(data, row, other));
  }

  function cards(data, title, pairs, about) {
    const list = element("div", { class: "cards" });
    return examples(data, title, pairs, list, list, (rows) => [titled(data, rows.at(-1), about(rows))]);
  }

  // The words that two texts share at their beginnings and ends stay plain; what is between them is marked.
  function words(old, now) {
    const [left, right] = [old, now].map((text) => text.split(/(\s+)/));
    let head = 0;
    while (head < left.length && head < right.length && left[head] === right[head]) head++;
    let tail = 0;
    while (tail < left.length - head && tail < right.length - head && left[left.length - 1 - tail] === right[right.length - 1 - tail]) tail++;
    return [[left, "del"], [right, "ins"]].map(([pieces, name]) => {
      const inside = pieces.slice(head, pieces.length - tail).join("");
      return element("div", {}, marked(pieces.slice(0, head).join("")), inside ? element(name, {}, marked(inside)) : null, marked(pieces.slice(pieces.length - tail).join("")));
    });
  }

  function chartsSection(before, after) {
    const found = [];
    for (const [column, measures] of Object.entries(after.profile ?? {})) {
      for (const [measure, splits] of telling(measures)) {
        for (const [split, one] of Object.entries(splits)) {
          const other = before.profile?.[column]?.[measure]?.[split];
          if (!other || JSON.stringify(other) === JSON.stringify(one)) continue;
          const drawn = measure === "rows" ? movedMissing(other, one) : panel(measure, [[before.version, other], [after.version, one]]);
          if (drawn) found.push(element("article", { class: "column" }, element("h3", {}, marked(column), element("code", {}, " ", marked(split))), drawn));
        }
      }
    }
    return found.length ? section("Distributions that moved", element("div", { class: "columns" }, ...found)) : null;
  }

  // What versions say of their columns is compared of those that both have.
  function factsOf(version, other) {
    const there = new Set(other.schema.map(([name]) => name));
    const told = version.facts.filter(([path]) => path[0] !== "schema" || there.has(path[2]));
    return new Map(told.map(([path, value]) => [JSON.stringify(path), typeof value === "object" ? JSON.stringify(value) : value]));
  }

  function factsSection(before, after) {
    const [old, now] = [factsOf(before, after), factsOf(after, before)];
    const differing = [...new Set([...old.keys(), ...now.keys()])].filter((path) => old.get(path) !== now.get(path));
    const size = (path) => (typeof old.get(path) === "number" && typeof now.get(path) === "number" && old.get(path) ? Math.abs(now.get(path) / old.get(path) - 1) : Infinity);
    differing.sort((one, other) => size(other) - size(one));
    if (!differing.length) return section("Statistics", element("p", {}, "None moved."));
    const rows = differing.slice(0, 200).map((path) => {
      const share = size(path);
      const change = Number.isFinite(share) ? `${now.get(path) > old.get(path) ? "+" : "−"}${(100 * share).toFixed(2)} %` : old.has(path) ? (now.has(path) ? "" : "gone") : "new";
      return element("tr", {}, element("th", { scope: "row" }, marked(JSON.parse(path).join("."))), ...[old.get(path), now.get(path)].map((value) => element("td", { class: "number" }, value === undefined ? "" : typeof value === "number" ? number(value) : marked(beginning(String(value))))), element("td", { class: "number" }, change));
    });
    const head = ["Statistic", "Before", "After", "Change"].map((text, at) => element("th", { scope: "col", class: at ? "number" : null }, text));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    const more = differing.length > 200 ? element("p", {}, `And ${number(differing.length - 200)} more.`) : null;
    return section("Statistics", element("div", { class: "scroll", role: "region", "aria-label": "Statistics", tabindex: "0" }, table), more);
  }

  function section(title, ...children) {
    const found = element("section", {}, element("h2", {}, title));
    found.append(...children.filter(Boolean));
    return found;
  }

  function comparing(form) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [from, to] = ["#from", "#to"].map((id) => form.querySelector(id).value);
      location.href = `${base}diff.html#${form.dataset.dataset}/${from}..${to}`;
    });
  }

  function asked() {
    const found = /^#([a-z0-9][a-z0-9-]*)\/(\d+\.\d+\.\d+)\.\.(\d+\.\d+\.\d+)$/.exec(location.hash);
    const place = byId("diff");
    if (!found) {
      place.replaceChildren(element("h1", {}, "The difference between two versions"), element("p", {}, "Choose them on the page of a dataset: ", element("a", { href: `${base}index.html` }, "all datasets"), "."));
      return;
    }
    const [, name, from, to] = found;
    if (known.has(name)) {
      difference(known.get(name), from, to);
      return;
    }
    waitingFor = { name, from, to };
    const script = element("script", { src: `${base}data/${name}.js` });
    script.addEventListener("error", () => place.replaceChildren(element("h1", {}, "The difference between two versions"), element("p", { class: "notice" }, `This catalog has no dataset ${name}.`)));
    document.body.append(script);
  }

  let waitingFor = null;
  const known = new Map();

  // --- how a contract is broken --------------------------------------------------------------------------------------

  function cases(data) {
    // Rows of other datasets have other columns.
    for (const row of data.others) data.values[row] = data.values[row]?.map((value) => value ?? { note: "" });
    for (const place of document.querySelectorAll(".cases")) {
      const [those, wrong] = [data.cases[place.dataset.breach], place.dataset.column];
      if (those.length) place.append(drawnCases(data, those, wrong));
    }
  }

  function drawnCases(data, those, wrong) {
    const wide = Object.values(data.values).some((values) => values.some(isWide));
    return wide ? element("div", { class: "cards" }, ...those.map((one) => caseCard(data, one, wrong))) : caseTable(data, those, wrong);
  }

  function caseCard(data, { rows, note }, wrong) {
    const those = rows.map((row) => (row in data.values ? rowCard(data, row, data.values[row], wrong) : rowCard(data, row, [])));
    return element("div", { class: "case" }, ...those, note ? element("p", { class: "held" }, note) : null);
  }

  // The rows of a case stand together.
  function caseTable(data, those, wrong) {
    const used = wrongFirst(data, wrong).slice(0, WIDEST);
    const heads = used.map((at) => element("th", { scope: "col" }, marked(data.columns[at])));
    const bodies = those.map(({ rows, note }) => {
      const lines = rows.map((row) => {
        const values = data.values[row];
        const cells = used.map((at) => element("td", { class: `${typeof values?.[at] === "number" ? "number" : "cell"}${data.columns[at] === wrong ? " wrong" : ""}` }, values ? shown(values[at]) : null));
        return element("tr", {}, element("th", { scope: "row", class: "key" }, marked(data.names[row])), ...cells);
      });
      const last = note ? element("tr", {}, element("td", { class: "held", colspan: used.length + 1 }, note)) : null;
      return element("tbody", {}, ...lines, last);
    });
    const table = element("table", {}, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Row"), ...heads)), ...bodies);
    return element("div", { class: "scroll", role: "region", "aria-label": "Rows that show it", tabindex: "0" }, table);
  }

  // --- the list of datasets ------------------------------------------------------------------------------------------

  function listing(table) {
    const rows = [...table.tBodies[0].rows];
    const [search, kind, licence] = ["search", "kind", "licence"].map(byId);
    const texts = rows.map((row) => row.dataset.text.toLowerCase());
    function filter() {
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let seen = 0;
      rows.forEach((row, at) => {
        row.hidden = !(wanted.every((word) => texts[at].includes(word)) && (!kind.value || row.dataset.kind === kind.value) && (!licence.value || row.dataset.licence === licence.value));
        seen += !row.hidden;
      });
      byId("shown").textContent = number(seen);
      byId("none").hidden = seen > 0;
    }
    for (const one of [search, kind, licence]) one.addEventListener("input", filter);
    byId("tools").addEventListener("submit", (event) => event.preventDefault());
    for (const button of table.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => {
        const head = button.parentElement;
        const descending = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const value = (row) => row.cells[button.dataset.sort].dataset.value ?? row.cells[button.dataset.sort].textContent;
        rows.sort((one, other) => value(one).localeCompare(value(other), "en", { numeric: true }) * (descending ? -1 : 1));
        table.tBodies[0].append(...rows);
      });
    }
    filter();
  }

  function copying() {
    for (const button of document.querySelectorAll(".copy")) {
      button.addEventListener("click", async () => {
        const text = button.closest("figure").querySelector("pre").textContent;
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(button.closest("figure").querySelector("pre"));
          button.textContent = "Selected";
        }
      });
    }
  }

  function start() {
    const table = byId("datasets");
    if (table) listing(table);
    copying();
    const form = byId("compare");
    if (form) comparing(form);
    byId("find")?.addEventListener("submit", (event) => event.preventDefault());
    addEventListener("beforeprint", drawAll);
    if (byId("diff") && !known.size) {
      asked();
      // A link within the page, such as that to its content, asks for no other versions.
      addEventListener("hashchange", () => byId(location.hash.slice(1)) ?? asked());
    }
  }

  start();

  return (data) => {
    known.set(data.name, prepared(data));
    Object.assign(pictures, data.pictures ?? {});
    if (data.alone) difference(data, ...data.alone);
    else if (data.state) {
      columns(data.versions[0]);
      viewer(data, data.versions[0]);
      if (data.cases) cases(data);
    }
    else if (waitingFor?.name === data.name) difference(data, waitingFor.from, waitingFor.to);
    else if (own.dataset === data.name) {
      const version = data.versions.find((one) => one.tag === own.tag);
      if (version?.schema) {
        columns(version);
        viewer(data, version);
      }
    }
  };
})();
