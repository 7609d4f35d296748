  // Two methods in one place: the column of one shows the other, and an enlarged picture is wiped over by the other.

  const flip = { a: 0, b: Math.min(1, data.methods.length - 1), on: false };
  const flipped = { a: byId("flip-a"), b: byId("flip-b"), button: byId("flip") };

  /** Which method a column shows. */
  const methodIn = (column) => (flip.on && columns[column] === flip.a ? flip.b : columns[column]);

  function showFlip() {
    if (!flipped.button) return;
    flipped.a.value = flip.a;
    flipped.b.value = flip.b;
    flipped.button.setAttribute("aria-pressed", String(flip.on));
    flipped.button.disabled = !columns.includes(flip.a) || flip.a === flip.b;
    grid.classList.toggle("flipped", flip.on);
  }

  function turnFlip() {
    if (flipped.button.disabled) return;
    flip.on = !flip.on;
    showFlip();
    heads.firstElementChild.replaceChildren(...headers());
    const column = columns.indexOf(flip.a);
    for (const [place, element] of drawn) {
      const old = element.querySelectorAll(".cell")[column + 1];
      const focused = old === document.activeElement;
      const made = makeCell(shownRows[place], place, column);
      const picture = made.querySelector("img");
      if (picture) picture.decoding = "sync"; // no empty frame between the two
      old.replaceWith(made);
      if (focused) made.focus({ preventScroll: true });
    }
    say("the column of " + data.labels[flip.a] + " shows " + data.labels[methodIn(column)]);
  }

  /** Choose one of the two, `a` or `b`; if it is the other one, they change places. */
  function chooseFlip(side, method) {
    const other = side === "a" ? "b" : "a";
    if (flip[other] === method) flip[other] = flip[side];
    flip[side] = method;
    flip.on = false;
    showFlip();
    measure();
    writeAddress();
    say("flips " + data.labels[flip.a] + " and " + data.labels[flip.b]);
    if (side === "a") cellAt(active.place, columns.indexOf(method))?.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  }

  /** Choose both by an address; returns what of it this page does not have. */
  function readFlip(text) {
    let names;
    try { names = JSON.parse(text); } catch { return [text]; }
    if (!Array.isArray(names) || names.length !== 2) return [text];
    const places = names.map((name) => data.labels.indexOf(name));
    const strange = names.filter((_, side) => places[side] < 0).map(String);
    if (!strange.length && places[0] !== places[1]) [flip.a, flip.b] = places;
    return strange;
  }

  if (flipped.button) {
    for (const side of ["a", "b"]) {
      flipped[side].append(...data.methods.map((_, method) => option(method, data.labels[method])));
      flipped[side].addEventListener("input", () => chooseFlip(side, Number(flipped[side].value)));
    }
    flipped.button.addEventListener("click", turnFlip);
  }

  /** What another method has in the place of a generation: of the same seed, else at the same turn; undefined for none. */
  function counterpart(item, method) {
    const row = rowOf(item);
    const page = row.pages.find((one) => one[item.method] && one[item.method].row === item.row);
    return page[method];
  }

  /** Below an enlarged generation, what wipes that of another method over it; nothing where no other has one. */
  function wiping(item, pair, metric) {
    if (item.method < 0) return [];
    const others = data.methods.map((_, method) => method)
      .filter((method) => method !== item.method && counterpart(item, method));
    if (!others.length) return [];
    const liked = item.method === flip.a ? flip.b : flip.a;
    const select = make("select", { "aria-label": "Method to flip to" }, ...others.map((method) => option(method, data.labels[method])));
    select.value = others.includes(liked) ? liked : others[0];
    const slider = make("input", { type: "range", min: 0, max: 100, value: 0, "aria-label": "How much of the other method is seen" });
    const button = make("button", { type: "button", className: "flip", "aria-pressed": "false" }, "Flip");
    const own = pair.querySelector("figcaption").textContent;
    let over = null;

    function wipe() {
      const share = Number(slider.value);
      const caption = pair.querySelector("figcaption");
      if (!over) {
        const other = described(counterpart(item, Number(select.value)), metric);
        over = make("div", { className: "over" }, image(other, true));
        over.item = other;
        pair.querySelector(".large").append(over);
      }
      over.style.setProperty("--share", share + "%");
      over.hidden = share === 0;
      const other = data.labels[over.item.method] + " " + scored(over.item, metric) + ": " + over.item.name;
      caption.textContent = share === 0 ? own : share === 100 ? other : share + " % " + other;
      caption.title = caption.textContent;
      slider.setAttribute("aria-valuetext", share + " % of " + data.labels[over.item.method]);
      button.setAttribute("aria-pressed", String(share === 100));
    }

    slider.addEventListener("input", wipe);
    button.addEventListener("click", () => {
      slider.value = Number(slider.value) === 100 ? 0 : 100;
      wipe();
    });
    const anew = () => {
      if (over) over.remove();
      over = null;
      wipe();
    };
    select.addEventListener("input", anew);
    pair.addEventListener("mapped", anew); // another picture stands there
    return [make("p", { className: "wiping" }, make("label", {}, "Flip to ", select), slider, button)];
  }
