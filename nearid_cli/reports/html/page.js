  // What all scripts of the report share: its data, elements, and pictures. Plots and tables are there without any.
  //
  // Names come from disk and may hold anything, so text is only ever set as textContent. Pictures are made when they
  // come near the window: a page of thousands opens at once. page.py puts the scripts into one function.

  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const generations = data.generations.map(
    ([method, subject, name, picture, copyOf, prompt, seed, scores, margins, labels, reasons, maps, near], row) => ({
      row, method, subject, name, picture, copyOf, prompt, seed, scores, margins, labels, reasons, maps, near,
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

  // Pictures ---------------------------------------------------------------------------------------------------

  /** By a picture, what makes its name to stand in its place. */
  const names = new WeakMap();

  /** A picture, or its name where the page does not have it: results may come from another machine. */
  function image(item, large) {
    const missing = () => make("span", { className: "missing", role: "img", "aria-label": item.alt }, item.name);
    if (item.picture < 0) return missing();
    const source = (large && data.full[item.picture]) || data.thumbnails[item.picture];
    if (!source) return missing();
    const element = make("img", { alt: item.alt, decoding: "async", loading: large || source.startsWith("data:") ? "eager" : "lazy" });
    names.set(element, missing);
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
