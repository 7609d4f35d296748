// The pictures of the report: strips that filter, sort and enlarge. Plots and tables are there without this script.
//
// Names come from disk and may hold anything, so text is only ever set as textContent. Strips are filled when
// they come near the window: a page of thousands of pictures opens at once.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const generations = data.generations.map(
    ([method, subject, name, picture, copyOf, prompt, seed, scores, margins, labels], row) => ({
      row, method, subject, name, picture, copyOf, prompt, seed, scores, margins, labels,
      path: data.roots[method] + name,
    }));
  const natural = new Intl.Collator("en", { numeric: true }).compare;
  const figure = (value) => (value === null || value === undefined ? "-" : value.toFixed(3).replace(/^-(0\.000)$/, "$1"));
  const colour = (method) => "m" + (method % 8); // as COLOURS in plots.py
  const count = (number, noun) => number.toLocaleString("en") + " " + noun + (number === 1 ? "" : "s");

  /** An element with properties, attributes (aria-..., data-...) and children; strings become text. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // Filter and order -------------------------------------------------------------------------------------------

  const controls = { method: byId("method"), subject: byId("subject"), sort: byId("sort"), order: byId("order") };
  let descending = false;
  controls.method.append(make("option", { value: "" }, "all"));
  controls.method.parentElement.hidden = data.methods.length < 2;
  data.methods.forEach((name, place) => controls.method.append(make("option", { value: place }, name)));
  data.metrics.forEach((name, place) => controls.sort.append(make("option", { value: place }, name)));
  controls.sort.append(make("option", { value: "name" }, "name"));

  function matches(generation) {
    const wanted = controls.subject.value.trim().toLowerCase();
    return (controls.method.value === "" || generation.method === Number(controls.method.value))
      && data.subjects[generation.subject].name.toLowerCase().includes(wanted);
  }

  const sortMetric = () => (controls.sort.value === "name" ? 0 : Number(controls.sort.value));

  function inOrder(list) {
    const sign = descending ? -1 : 1;
    const metric = Number(controls.sort.value);
    const order = controls.sort.value === "name"
      ? (a, b) => natural(a.name, b.name) || a.method - b.method
      : (a, b) => a.scores[metric] - b.scores[metric] || a.row - b.row;
    return [...list].sort((a, b) => sign * order(a, b));
  }

  // Pictures and strips ----------------------------------------------------------------------------------------

  /** A picture, or its name where the page does not have it: results may come from another machine. */
  function image(item, large) {
    const missing = () => make("span", { className: "missing", role: "img", "aria-label": item.alt }, item.name);
    if (item.picture < 0) return missing();
    const source = (large && data.full[item.picture]) || data.thumbnails[item.picture];
    if (!source) return missing();
    const element = make("img", { alt: item.alt, decoding: "async", loading: source.startsWith("data:") ? "eager" : "lazy" });
    element.addEventListener("error", () => element.replaceWith(missing()));
    element.src = source;
    return element;
  }

  function described(generation, metric) {
    const subject = data.subjects[generation.subject].name;
    const score = data.metrics[metric] + " " + figure(generation.scores[metric]);
    return { ...generation, alt: [subject, data.methods[generation.method], score].join(", ") };
  }

  function references(subject) {
    const name = data.subjects[subject].name;
    return data.subjects[subject].references.map(([file, path, picture]) => (
      { subject, name: file, path, picture, method: -1, alt: name + ", reference " + file }));
  }

  function tile(items, place, metric) {
    const item = items[place];
    const button = make("button", { type: "button", className: "tile", title: item.name });
    button.append(make("span", { className: item.method < 0 ? "frame" : "frame own " + colour(item.method) }, image(item, false)));
    if (item.method >= 0) {
      const number = make("span", { className: "number", "aria-hidden": "true" }, make("span", {}, figure(item.scores[metric])));
      if (item.copyOf !== null) number.append(make("em", {}, "copy"));
      button.append(number);
    }
    button.addEventListener("click", () => enlarge(items, place, metric));
    return make("li", {}, button);
  }

  /** A list of pictures; the first `most` of them, and a button for the rest. */
  function strip(items, metric, most) {
    const small = items.length && items[0].method < 0; // references
    const list = make("ul", { className: small ? "strip small" : "strip", role: "list" });
    list.append(...items.slice(0, most).map((_, place) => tile(items, place, metric)));
    if (items.length > most) {
      const more = make("button", { type: "button" }, (items.length - most).toLocaleString("en") + " more");
      const entry = make("li", { className: "more" }, more);
      more.addEventListener("click", () => {
        entry.remove();
        list.append(...items.slice(most).map((_, index) => tile(items, most + index, metric)));
        list.children[most].firstChild.focus();
      });
      list.append(entry);
    }
    return list;
  }

  // The gallery ------------------------------------------------------------------------------------------------

  const gallery = byId("gallery");
  const cards = [];

  /** A part of the gallery whose strips are made when it comes near the window. */
  function card(title, fill) {
    const body = make("div");
    const means = make("span", { className: "means" });
    const heading = make("h3", { id: "card-" + cards.length }, title);
    const section = make("section", { className: "card waiting", "aria-labelledby": heading.id },
      make("header", {}, heading, means), body);
    const one = { section, means, body, fill, items: [], filled: false };
    section.addEventListener("focus", () => fillCard(one)); // Tab gets here before there is anything to stop at
    cards.push(one);
    gallery.append(section);
    return one;
  }

  function fillCard(one) {
    if (one.filled) return;
    one.filled = true;
    one.section.tabIndex = -1;
    one.section.classList.remove("waiting");
    one.body.replaceChildren(...one.fill(one));
  }

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) fillCard(cards.find((one) => one.section === entry.target));
    }
  }, { rootMargin: "800px" });

  const worst = card("Worst generations", (one) => [strip(one.items, 0, data.strip)]);
  const copies = card("Suspected copies of a reference", (one) => [strip(one.items, 0, data.strip)]);
  const bySubject = data.subjects.map((subject, number) => card(subject.name, (one) => {
    const own = references(number);
    return [
      ...(own.length ? [make("h4", {}, count(own.length, "reference")), strip(own, 0, data.strip)] : []),
      make("h4", {}, count(one.items.length, "generation")),
      strip(one.items, sortMetric(), data.strip),
    ];
  }));

  function means(number) {
    const metric = sortMetric();
    const known = data.subjects[number].scores
      .map((scores, method) => (scores ? data.methods[method] + " " + figure(scores[metric]) : null))
      .filter((text) => text !== null);
    return data.metrics[metric] + ": " + known.join(", ");
  }

  function render() {
    const shown = generations.filter(matches);
    const lists = data.subjects.map(() => []);
    for (const generation of inOrder(shown)) lists[generation.subject].push(described(generation, sortMetric()));
    bySubject.forEach((one, number) => {
      one.items = lists[number];
      one.means.textContent = means(number);
    });
    const first = (list) => list.map((generation) => described(generation, 0));
    worst.items = first([...shown].sort((a, b) => a.scores[0] - b.scores[0]).slice(0, data.strip));
    worst.means.textContent = "by " + data.metrics[0];
    copies.items = first(shown.filter((generation) => generation.copyOf !== null));
    copies.means.textContent = count(copies.items.length, "generation");
    near.disconnect();
    for (const one of cards) {
      one.section.hidden = one.items.length === 0;
      one.filled = false;
      one.section.tabIndex = 0;
      near.observe(one.section); // reports at once whether it is near, and then fills it
    }
    byId("shown").textContent = shown.length.toLocaleString("en") + " of " + count(generations.length, "generation");
    controls.order.textContent = descending ? "Descending" : "Ascending";
    controls.order.setAttribute("aria-pressed", String(descending));
  }

  for (const control of [controls.method, controls.subject, controls.sort]) control.addEventListener("input", render);
  controls.order.addEventListener("click", () => { descending = !descending; render(); });
  byId("controls").addEventListener("submit", (event) => event.preventDefault());

  // Enlarging --------------------------------------------------------------------------------------------------

  const dialog = byId("enlarged");
  let open = { items: [], place: 0, metric: 0 };

  function facts(item) {
    const rows = [["file", item.path]];
    if (item.copyOf) rows.push(["copy of", item.copyOf]);
    if (item.prompt) rows.push(["prompt", item.prompt]);
    if (item.seed) rows.push(["seed", item.seed]);
    rows.push(...(item.labels || []));
    (item.scores || []).forEach((score, metric) => {
      const margin = item.margins ? item.margins[metric] : null;
      rows.push([data.metrics[metric], figure(score) + (margin === null ? "" : ", margin " + figure(margin))]);
    });
    return make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  function enlarge(items, place, metric) {
    open = { items, place, metric };
    const item = items[place];
    const step = (by, name, text) => {
      const button = make("button", { type: "button", "aria-label": name, disabled: !items[place + by] }, text);
      button.addEventListener("click", () => move(by));
      return button;
    };
    const close = make("button", { type: "button", "aria-label": "Close" }, "✕");
    close.addEventListener("click", () => dialog.close());
    const subject = data.subjects[item.subject].name;
    const title = subject + " · " + (item.method < 0 ? "reference" : data.methods[item.method]);
    const beside = item.method < 0 ? [] : references(item.subject);
    const list = make("ul", { className: "strip small", role: "list" });
    list.append(...beside.slice(0, 8).map((reference) => (
      make("li", {}, make("span", { className: "frame" }, image(reference, false))))));
    dialog.replaceChildren(
      make("div", { className: "top" }, make("h2", { id: "enlarged-title" }, title),
        make("span", { className: "place" }, (place + 1) + " of " + items.length),
        step(-1, "Previous", "←"), step(1, "Next", "→"), close),
      make("div", { className: "looks" },
        make("div", { className: "large" }, image(item, true)),
        make("div", {}, facts(item), ...(beside.length ? [make("h3", {}, "References"), list] : []))));
    if (!dialog.open) dialog.showModal();
    close.focus();
  }

  /** The next picture; the button that was pressed keeps the focus, so that Enter goes on. */

  function move(by) {
    const place = open.place + by;
    if (!open.items[place]) return;
    const pressed = document.activeElement.getAttribute("aria-label");
    enlarge(open.items, place, open.metric);
    const button = dialog.querySelector('button[aria-label="' + pressed + '"]:enabled');
    if (button) button.focus();
  }

  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) { event.preventDefault(); move(by); }
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // Plots ------------------------------------------------------------------------------------------------------

  for (const radio of document.querySelectorAll(".choice input")) {
    radio.addEventListener("change", () => {
      document.querySelectorAll('[data-panel="' + radio.name + '"]').forEach((panel, place) => {
        panel.hidden = place !== Number(radio.value);
      });
    });
  }

  for (const place of document.querySelectorAll("[data-disagreement]")) {
    const rows = data.disagreements[Number(place.dataset.disagreement)][Number(place.dataset.way)];
    const items = rows.map((row) => described(generations[row], 0));
    place.append(items.length ? strip(items, 0, 8) : make("p", { className: "empty" }, "None."));
  }

  /** A click on a scatter opens the nearest point; the dots of a method are one path, for speed. */
  function explore(figureElement) {
    const svg = figureElement.querySelector("svg");
    const metric = Number(figureElement.dataset.metric);
    const scale = (text) => {
      const [low, high, start, end] = text.split(" ").map(Number);
      return (value) => start + ((value - low) / (high - low)) * (end - start);
    };
    const x = scale(svg.dataset.x);
    const y = scale(svg.dataset.y);
    const points = generations.map((one) => ({ one, x: x(one.scores[metric]), y: y(one.scores[0]) }));
    const probe = svg.querySelector(".probe");
    const readout = figureElement.querySelector(".readout");

    function nearest(event) {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      let best = null;
      let least = 15 ** 2; // farther than this is no point at all
      for (const point of points) {
        const distance = (point.x - at.x) ** 2 + (point.y - at.y) ** 2;
        if (distance < least) { least = distance; best = point; }
      }
      return best;
    }

    svg.addEventListener("mousemove", (event) => {
      const point = nearest(event);
      probe.setAttribute("cx", point ? point.x : -20);
      probe.setAttribute("cy", point ? point.y : -20);
      if (!point) return;
      const scores = data.metrics.map((name, number) => name + " " + figure(point.one.scores[number]));
      readout.textContent = [data.methods[point.one.method], point.one.name, ...scores].join(" · ");
    });
    svg.addEventListener("click", (event) => {
      const point = nearest(event);
      if (point) enlarge([described(point.one, 0)], 0, 0);
    });
  }
  document.querySelectorAll("[data-metric]").forEach(explore);

  // Theme and paper --------------------------------------------------------------------------------------------

  const theme = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const showTheme = () => theme.setAttribute("aria-pressed", String(dark()));
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    showTheme();
  });
  system.addEventListener("change", showTheme);
  matchMedia("print").addEventListener("change", (event) => {
    if (!event.matches) return;
    cards.forEach(fillCard);
    for (const details of document.querySelectorAll("details")) details.open = true;
  });

  byId("unscripted").remove();
  showTheme();
  render();
})();
