  // A picture in the middle of the window: a generation beside a reference, both as high; what is known of it below.

  const dialog = byId("enlarged");
  let open = { items: [], place: 0, metric: 0, reference: 0 };

  function facts(item) {
    const rows = [["file", item.path]];
    if (item.copyOf) rows.push(["copy of", item.copyOf]);
    if (item.prompt) rows.push(["prompt", item.prompt]);
    if (item.seed) rows.push(["seed", item.seed]);
    rows.push(...(item.labels || []));
    (item.scores || []).forEach((score, metric) => {
      const margin = item.margins ? item.margins[metric] : null;
      rows.push([named(metric), scored(item, metric) + (margin === null ? "" : ", margin " + figure(margin, metric))]);
    });
    return make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  /** A picture with its caption. Width goes by its shape, so that pictures side by side are as high as each other. */
  function look(item, caption) {
    const shown = image(item, true);
    const one = make("figure", { className: "look" },
      make("div", { className: "large" }, shown), make("figcaption", { title: caption }, caption));
    shown.addEventListener("load", () => {
      const ratio = shown.naturalWidth / shown.naturalHeight;
      one.style.setProperty("--ratio", Math.min(3, Math.max(1 / 3, ratio))); // a sliver leaves room for its neighbour
      fit(one.parentElement);
    });
    return one;
  }

  /** Tell the pair how wide it may be, lest it become too high for the window. */
  function fit(pair) {
    if (!pair) return;
    const ratios = [...pair.children].map((one) => Number(one.style.getPropertyValue("--ratio") || 1));
    pair.style.setProperty("--sum", ratios.reduce((sum, ratio) => sum + ratio, 0));
  }

  /** Buttons that show where the generation lost identity, by each metric that says so, in its place. */
  function mapped(item, pair, caption) {
    const buttons = item.maps.map(([metric, picture]) => {
      const button = make("button", { type: "button", "aria-pressed": "false" }, "Where identity broke: " + data.metrics[metric]);
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") === "false";
        buttons.forEach((one) => one.setAttribute("aria-pressed", String(on && one === button)));
        const shown = on ? { ...item, picture, alt: item.alt + ", where identity broke" } : item;
        pair.children[0].replaceWith(look(shown, caption));
        fit(pair);
        pair.dispatchEvent(new Event("mapped"));
      });
      return button;
    });
    return make("p", { className: "maps" }, ...buttons);
  }

  /** The references to choose from, and the one that stands beside the generation. */
  function choose(pair, list, beside, place) {
    open.reference = place;
    const caption = "Reference " + (place + 1) + " of " + beside.length + ": " + beside[place].name;
    const next = look(beside[place], caption);
    if (pair.children[1]) pair.children[1].replaceWith(next);
    else pair.append(next);
    fit(pair);
    [...list.querySelectorAll("button")].forEach((button, at) => button.setAttribute("aria-pressed", String(at === place)));
    const pressed = list.children[place];
    list.scrollLeft += pressed.getBoundingClientRect().left - list.getBoundingClientRect().left - list.clientWidth / 2;
    dialog.querySelector(".said").textContent = caption;
  }

  function enlarge(items, place, metric) {
    const item = items[place];
    const before = dialog.open ? open.items[open.place] : null;
    const beside = item.method < 0 ? [] : references(item.subject);
    const copied = item.copyOf ? beside.findIndex((reference) => reference.name === item.copyOf) : -1;
    const kept = before && before.subject === item.subject && open.reference < beside.length ? open.reference : 0;
    open = { items, place, metric, reference: copied < 0 ? kept : copied };
    const step = (by, name, text) => {
      const button = make("button", { type: "button", "aria-label": name, disabled: !items[place + by] }, text);
      button.addEventListener("click", () => move(by));
      return button;
    };
    const close = make("button", { type: "button", "aria-label": "Close" }, "✕");
    close.addEventListener("click", () => dialog.close());
    const method = item.method < 0 ? "reference" : data.methods[item.method];
    const subject = data.subjects[item.subject].name;
    const caption = item.method < 0 ? item.name : "Generation: " + item.name;
    const pair = make("div", { className: "looks" }, look(item, caption));
    const list = make("ul", { className: "choices", role: "list", "aria-label": "References" });
    list.append(...beside.map((reference, at) => {
      const button = make("button", { type: "button", className: "tile", title: reference.name },
        make("span", { className: "frame" }, image(reference, false)));
      button.addEventListener("click", () => choose(pair, list, beside, at));
      return make("li", {}, button);
    }));
    dialog.replaceChildren(
      make("div", { className: "top" }, make("h2", { id: "enlarged-title", title: subject + " · " + method },
        make("bdi", {}, subject), " · ", make("bdi", {}, method)),
        make("span", { className: "place" }, (place + 1).toLocaleString("en") + " of " + items.length.toLocaleString("en")),
        step(-1, "Previous", "←"), step(1, "Next", "→"), close),
      pair, ...wiping(item, pair, metric), ...(item.maps ? [mapped(item, pair, caption)] : []),
      make("p", { className: "said", role: "status" }), ...(beside.length > 1 ? [list] : []), facts(item));
    if (!dialog.open) dialog.showModal();
    if (beside.length) choose(pair, list, beside, open.reference);
    fit(pair);
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
    if (event.target.matches("select, input")) return; // these have uses of their own for arrows
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const other = dialog.querySelectorAll(".choices button")[open.reference + ({ ArrowUp: -1, ArrowDown: 1 }[event.key] || NaN)];
    if (by || other) event.preventDefault();
    if (by) move(by);
    if (other) other.click();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
