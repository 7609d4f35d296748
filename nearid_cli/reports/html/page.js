  // The pictures of the report: strips that filter and sort. Plots and tables are there without any script.
  //
  // Names come from disk and may hold anything, so text is only ever set as textContent. Strips are filled when
  // they come near the window: a page of thousands of pictures opens at once. page.py puts this file, enlarge.js,
  // plots.js and paper.js into one function.

  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const generations = data.generations.map(
    ([method, subject, name, picture, copyOf, prompt, seed, scores, margins, labels, reasons, maps], row) => ({
      row, method, subject, name, picture, copyOf, prompt, seed, scores, margins, labels, reasons, maps,
      path: data.roots[method] + name,
    }));
  const natural = new Intl.Collator("en", { numeric: true }).compare;
  const known = (value) => value !== null && value !== undefined;
  const figure = (value, metric) => (
    known(value) ? value.toFixed(data.decimals[metric]).replace(/^-(0(\.0*)?)$/, "$1") : "-");
  /** A metric's name, with an arrow where lower is better, as the tables have it. */
  const named = (metric) => data.metrics[metric] + (data.lower[metric] ? " ↓" : "");
  /** A generation's score, or why it has none. */
  const scored = (item, metric) => (item.reasons && item.reasons[metric]) || figure(item.scores[metric], metric);
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
  let turned = false; // the order, from worst first to best first
  controls.method.append(make("option", { value: "" }, "all"));
  controls.method.parentElement.hidden = data.methods.length < 2;
  data.methods.forEach((name, place) => controls.method.append(make("option", { value: place }, name)));
  data.metrics.forEach((_, place) => controls.sort.append(make("option", { value: place }, named(place))));
  controls.sort.append(make("option", { value: "name" }, "name"));

  const byName = () => controls.sort.value === "name";
  /** Whether numbers fall: worst first is that where lower is better. */
  const descending = () => turned !== (!byName() && data.lower[Number(controls.sort.value)]);

  function matches(generation) {
    const wanted = controls.subject.value.trim().toLowerCase();
    return (controls.method.value === "" || generation.method === Number(controls.method.value))
      && data.subjects[generation.subject].name.toLowerCase().includes(wanted);
  }

  /** What the controls say, for paper, where they are not. */
  function stated() {
    const chosen = (control) => control.selectedOptions[0].textContent;
    const parts = [byId("shown").textContent];
    if (controls.method.value !== "") parts.push("of method " + chosen(controls.method));
    if (controls.subject.value.trim()) parts.push("of subjects with “" + controls.subject.value.trim() + "” in their name");
    return parts.join(", ") + ", by " + chosen(controls.sort) + ", " + (descending() ? "descending." : "ascending.");
  }

  const sortMetric = () => (byName() ? 0 : Number(controls.sort.value));

  /** By a metric, what has no score last whichever way. */
  function byScore(list, metric, falling) {
    const sign = falling ? -1 : 1;
    const has = (one) => known(one.scores[metric]);
    return [
      ...list.filter(has).sort((a, b) => sign * (a.scores[metric] - b.scores[metric] || a.row - b.row)),
      ...list.filter((one) => !has(one)),
    ];
  }

  function inOrder(list) {
    if (!byName()) return byScore(list, Number(controls.sort.value), descending());
    const sign = descending() ? -1 : 1;
    return [...list].sort((a, b) => sign * (natural(a.name, b.name) || a.method - b.method));
  }

  // Pictures and strips ----------------------------------------------------------------------------------------

  /** A picture, or its name where the page does not have it: results may come from another machine. */
  function image(item, large) {
    const missing = () => make("span", { className: "missing", role: "img", "aria-label": item.alt }, item.name);
    if (item.picture < 0) return missing();
    const source = (large && data.full[item.picture]) || data.thumbnails[item.picture];
    if (!source) return missing();
    const element = make("img", { alt: item.alt, decoding: "async", loading: large || source.startsWith("data:") ? "eager" : "lazy" });
    element.addEventListener("error", () => element.replaceWith(missing()));
    element.src = source;
    const mask = data.masks[item.picture];
    if (mask) {
      element.classList.add("maskable");
      element.style.setProperty("--mask", `url("${mask}")`);
    }
    return element;
  }

  function described(generation, metric) {
    const subject = data.subjects[generation.subject].name;
    const score = data.metrics[metric] + " " + scored(generation, metric);
    return { ...generation, alt: [subject, data.methods[generation.method], score].join(", ") };
  }

  function references(subject) {
    const name = data.subjects[subject].name;
    return data.subjects[subject].references.map(([file, path, picture]) => (
      { subject, name: file, path, picture, method: -1, alt: name + ", reference " + file }));
  }

  function tile(items, place, metric) {
    const item = items[place];
    const whose = data.methods.length > 1 && item.method >= 0 ? [data.labels[item.method]] : [];
    const button = make("button", {
      type: "button", className: "tile", title: item.name, "data-paper": [...whose, item.name].join(" · ") });
    button.append(make("span", { className: item.method < 0 ? "frame" : "frame own " + colour(item.method) }, image(item, false)));
    if (item.method >= 0) {
      const number = make("span", { className: "number", "aria-hidden": "true" }, make("span", {}, scored(item, metric)));
      if (item.copyOf !== null) number.append(make("em", {}, "copy"));
      button.append(number);
    }
    button.addEventListener("click", () => enlarge(items, place, metric));
    return make("li", {}, button);
  }

  /** By the entry that holds the button for the rest of a strip: what makes that rest. */
  const rests = new WeakMap();

  /** A list of pictures; the first `most` of them, and a button for the rest. */
  function strip(items, metric, most) {
    const small = items.length && items[0].method < 0; // references
    const list = make("ul", { className: small ? "strip small" : "strip", role: "list" });
    list.append(...items.slice(0, most).map((_, place) => tile(items, place, metric)));
    if (items.length > most) {
      const more = make("button", { type: "button" }, (items.length - most).toLocaleString("en") + " more");
      const entry = make("li", { className: "more" }, more);
      const rest = () => items.slice(most).map((_, index) => tile(items, most + index, metric));
      rests.set(entry, rest);
      more.addEventListener("click", () => {
        entry.replaceWith(...rest());
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

  /** Back to waiting until it comes near. */
  function emptyCard(one) {
    one.filled = false;
    one.section.tabIndex = 0;
    near.unobserve(one.section);
    near.observe(one.section); // reports at once whether it is near, and then fills it
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
    const all = data.subjects[number].scores
      .map((scores, method) => (scores ? data.labels[method] + " " + figure(scores[metric], metric) : null))
      .filter((text) => text !== null);
    return named(metric) + ": " + all.join(", ");
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
    worst.items = first(byScore(shown, 0, data.lower[0]).filter((one) => known(one.scores[0])).slice(0, data.strip));
    const unknown = shown.filter((one) => !known(one.scores[0])).length;
    worst.means.textContent = "by " + named(0) + (unknown ? ", but for " + count(unknown, "generation") + " without a score" : "");
    copies.items = first(shown.filter((generation) => generation.copyOf !== null));
    copies.means.textContent = count(copies.items.length, "generation");
    near.disconnect();
    for (const one of cards) {
      one.section.hidden = one.items.length === 0;
      emptyCard(one);
    }
    byId("shown").textContent = shown.length.toLocaleString("en") + " of " + count(generations.length, "generation");
    byId("filter").textContent = stated();
    controls.order.textContent = descending() ? "Descending" : "Ascending";
    controls.order.setAttribute("aria-pressed", String(turned));
  }

  for (const control of [controls.method, controls.subject, controls.sort]) control.addEventListener("input", render);
  controls.order.addEventListener("click", () => { turned = !turned; render(); });
  const masked = byId("masked");
  if (masked) {
    masked.addEventListener("click", () => {
      masked.setAttribute("aria-pressed", String(document.documentElement.classList.toggle("masked")));
    });
  }
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
