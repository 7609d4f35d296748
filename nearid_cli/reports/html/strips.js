  // Strips: the worst generations, suspected copies, and every subject by itself, filled when they come near.

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
    one.section.classList.add("waiting");
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

  /** Put generations into the strips; each is filled when it comes near. */
  function showStrips(shown) {
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
  }
