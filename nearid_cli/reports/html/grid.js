  // The grid: subjects and prompts below each other, methods beside each other. Rows are as high as each other, and
  // only those near the part that is seen exist.

  const grid = byId("grid");
  const heads = grid.querySelector(".heads");
  const body = grid.querySelector(".rows");
  const SPARE = 3; // rows beyond each end of what is seen
  const GAP = 10; // px between columns
  const [NARROW, WIDE] = [100, 232]; // px of a cell

  let shownRows = [];
  let columns = []; // the methods of the columns, in their order
  let wanted = null; // the generations that were asked for, by their rows in the data; null where all were
  let mapping = false; // maps in place of generations that have one
  let rowHeight = 0;
  const printing = matchMedia("print");
  let scrolled = 0; // where the screen is, which paper does not know
  let active = { place: 0, column: -1 }; // the cell that Tab stops at
  const drawn = new Map(); // by place, the rows that exist

  /** Every row with a generation that was asked for: by subjects, in the order asked for; of the worst, worst first. */
  function showGrid(shown) {
    const before = shownRows[active.place];
    const those = new Set(shown.map((one) => one.row));
    wanted = controls.show.value ? those : null;
    columns = data.methods.map((_, method) => method)
      .filter((method) => controls.method.value === "" || method === Number(controls.method.value));
    shownRows = rows.filter((row) => row.cells.some((list) => list.some((one) => those.has(one.row))));
    for (const row of shownRows) {
      const has = (page) => columns.some((method) => page[method] && those.has(page[method].row));
      if (!has(row.pages[row.page])) row.page = Math.max(row.pages.findIndex(has), 0);
    }
    if (controls.show.value === "worst") {
      const worst = new Map(shown.map((one, place) => [rowOf(one), place]).reverse()); // the first of each row stays
      shownRows.sort((a, b) => worst.get(a) - worst.get(b));
    } else {
      const place = subjectPlaces();
      shownRows.sort((a, b) => place[a.subject] - place[b.subject] || a.number - b.number);
    }
    active = { place: Math.max(shownRows.indexOf(before), 0), column: Math.min(active.column, columns.length - 1) };
    byId("side").hidden = shownRows.length === 0;
    byId("grid-rows").textContent = count(shownRows.length, "row") + " of " + rows.length.toLocaleString("en");
    grid.setAttribute("aria-rowcount", shownRows.length + 1);
    grid.setAttribute("aria-colcount", columns.length + 2);
    grid.style.setProperty("--columns", columns.length + 1);
    grid.scrollTop = 0;
    showFlip();
    measure();
  }

  /** By subject its place in the order of the controls, by the mean of all methods that are shown. */
  function subjectPlaces() {
    const metric = sortMetric();
    const means = data.subjects.map(({ scores }, number) => {
      const found = columns.map((method) => scores[method] && scores[method][metric]).filter(known);
      return { number, mean: found.length ? found.reduce((sum, one) => sum + one, 0) / found.length : null };
    });
    const sign = descending() ? -1 : 1;
    const order = byName()
      ? means.sort((a, b) => sign * natural(data.subjects[a.number].name, data.subjects[b.number].name))
      : [...means.filter((one) => known(one.mean)).sort((a, b) => sign * (a.mean - b.mean) || a.number - b.number),
        ...means.filter((one) => !known(one.mean))];
    const places = [];
    order.forEach((one, place) => { places[one.number] = place; });
    return places;
  }

  // Rows -------------------------------------------------------------------------------------------------------

  function makeRow(row, place) {
    const label = make("div", { role: "rowheader", className: "label", "aria-colindex": 1, title: data.subjects[row.subject].name + " · " + asks(row) },
      make("strong", {}, make("bdi", {}, data.subjects[row.subject].name)), " ", make("bdi", {}, asks(row)));
    const element = make("div", { role: "row", className: "row", "aria-rowindex": place + 2 }, label);
    if (row.pages.length > 1) {
      const said = (row.seeds ? "seed " + row.seeds[row.page] + ", " : "") + (row.page + 1) + " of " + row.pages.length;
      const step = (by, name, text) => {
        const button = make("button", { type: "button", tabIndex: -1, "aria-label": name }, text);
        button.addEventListener("click", () => turnPage(place, by));
        return button;
      };
      label.append(make("span", { className: "pages" }, step(-1, "Previous of this row", "‹"), said, step(1, "Next of this row", "›")));
    }
    element.append(...[-1, ...columns.keys()].map((column) => makeCell(row, place, column)));
    element.style.setProperty("--place", place);
    const seen = (place + 1) * rowHeight > grid.scrollTop && place * rowHeight < grid.scrollTop + grid.clientHeight;
    for (const picture of element.querySelectorAll("img")) picture.fetchPriority = seen ? "high" : "low"; // of a server
    return element;
  }

  function makeCell(row, place, column) {
    const made = cell(row, column, column < 0 ? -1 : methodIn(column), sortMetric());
    if (place === active.place && column === active.column) made.tabIndex = 0;
    made.addEventListener("focus", () => activate(place, column));
    made.addEventListener("click", () => { made.focus({ preventScroll: true }); enlargeCell(); });
    return made;
  }

  const cellAt = (place, column) => {
    const row = drawn.get(place);
    return row ? row.querySelectorAll(".cell")[column + 1] : null;
  };

  function activate(place, column) {
    const before = cellAt(active.place, active.column);
    if (before) before.tabIndex = -1;
    active = { place, column };
    const now = cellAt(place, column);
    if (now) now.tabIndex = 0;
  }

  /** Make the rows near the part that is seen, and drop those that no longer are; never the one with the focus. */
  function draw() {
    if (printing.matches || grid.classList.contains("all") || !rowHeight) return;
    scrolled = grid.scrollTop;
    const first = Math.floor((grid.scrollTop - heads.offsetHeight) / rowHeight) - SPARE;
    const last = Math.ceil((grid.scrollTop + grid.clientHeight) / rowHeight) + SPARE;
    const near = (place) => place >= Math.max(first, 0) && place < Math.min(last, shownRows.length);
    for (const [place, row] of drawn) {
      if (near(place) || place === active.place) continue;
      row.remove();
      drawn.delete(place);
    }
    const places = [active.place];
    for (let place = Math.max(first, 0); near(place); place += 1) places.push(place);
    for (const place of places.sort((a, b) => a - b)) {
      if (drawn.has(place) || !shownRows[place]) continue;
      insert(place);
    }
  }

  function insert(place) {
    const row = makeRow(shownRows[place], place);
    const later = [...drawn.keys()].filter((one) => one > place);
    body.insertBefore(row, later.length ? drawn.get(Math.min(...later)) : null);
    drawn.set(place, row);
    return row;
  }

  /** Fit the cells to the window, and make all rows anew. */
  function measure() {
    const focused = grid.contains(document.activeElement) && document.activeElement.matches(".cell");
    body.replaceChildren();
    drawn.clear();
    if (!shownRows.length || !grid.clientWidth) return;
    const narrow = grid.clientWidth < 560; // a reference and one method, and a swipe to the next one
    const beside = narrow ? 2 : columns.length + 1;
    const room = Math.floor((grid.clientWidth - GAP * (beside - 1)) / beside);
    grid.style.setProperty("--cell", (narrow ? room : Math.min(WIDE, Math.max(NARROW, room))) + "px");
    grid.style.setProperty("--wide", grid.clientWidth + "px");
    heads.firstElementChild.replaceChildren(...headers());
    rowHeight = insert(active.place).offsetHeight;
    grid.style.setProperty("--row", rowHeight + "px");
    body.style.setProperty("--rows", shownRows.length);
    draw();
    if (focused) moveTo(active.place, active.column);
  }

  function headers() {
    const head = (index, text, title, kind) => make("div", {
      role: "columnheader", className: "head " + kind, "aria-colindex": index, title }, make("bdi", {}, text));
    return [head(1, "Subject and what was asked for", "", "said"), head(2, "References", "", "reference"),
      ...columns.map((_, column) => {
        const method = methodIn(column);
        const turned = method === columns[column] ? "" : "⇄ ";
        return head(column + 3, turned + data.labels[method], turned + data.methods[method], "own " + colour(method));
      })];
  }

  /** Make a row anew where it is drawn. */
  function redraw(place) {
    const old = drawn.get(place);
    if (!old) return;
    const focused = old.contains(document.activeElement);
    const made = makeRow(shownRows[place], place);
    old.replaceWith(made);
    drawn.set(place, made);
    if (focused) cellAt(place, active.column).focus({ preventScroll: true });
  }

  const redrawAll = () => [...drawn.keys()].forEach(redraw);

  // Moving -----------------------------------------------------------------------------------------------------

  function moveTo(place, column) {
    const to = Math.min(Math.max(place, 0), shownRows.length - 1);
    const over = Math.min(Math.max(column, -1), columns.length - 1);
    activate(to, over);
    const top = to * rowHeight;
    const seen = grid.clientHeight - heads.offsetHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + rowHeight > grid.scrollTop + seen) grid.scrollTop = top + rowHeight - Math.max(seen, rowHeight);
    draw();
    const target = cellAt(to, over);
    target.tabIndex = 0;
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  }

  const MOVES = {
    ArrowLeft: () => [active.place, active.column - 1],
    ArrowRight: () => [active.place, active.column + 1],
    ArrowUp: () => [active.place - 1, active.column],
    ArrowDown: () => [active.place + 1, active.column],
    PageUp: () => [active.place - visible(), active.column],
    PageDown: () => [active.place + visible(), active.column],
    Home: (all) => [all ? 0 : active.place, -1],
    End: (all) => [all ? shownRows.length - 1 : active.place, columns.length - 1],
  };
  const visible = () => Math.max(1, Math.floor((grid.clientHeight - heads.offsetHeight) / rowHeight));

  grid.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || !event.target.matches(".cell")) return;
    const move = MOVES[event.key];
    if (move) moveTo(...move(event.ctrlKey));
    else if (event.key === "Enter" || event.key === " ") enlargeCell();
    else return;
    event.preventDefault();
  });

  /** The next of several generations of each cell of a row, or the one before; after the last one the first. */
  function turnPage(place, by) {
    const row = shownRows[place];
    if (row.pages.length < 2) return;
    row.page = (row.page + by + row.pages.length) % row.pages.length;
    redraw(place);
    say(asks(row) + ": " + (row.page + 1) + " of " + row.pages.length);
  }

  /** Another reference, in all rows of the subject. */
  function turnReference(place) {
    const { subject } = shownRows[place];
    const number = referencesOf[subject].length;
    if (number < 2) return;
    turns.set(subject, (referenceIn(shownRows[place]) + 1) % number);
    redrawAll();
    say("reference " + (turns.get(subject) + 1) + " of " + number);
  }

  const say = (text) => { byId("grid-said").textContent = text; };

  /** The active cell in large; its neighbours there are those of the grid, row by row. */
  function enlargeCell() {
    const row = shownRows[active.place];
    if (active.column < 0) {
      if (referencesOf[row.subject].length) enlarge(referencesOf[row.subject], referenceIn(row), sortMetric());
      return;
    }
    const own = row.pages[row.page][methodIn(active.column)];
    if (!own) return;
    const seen = shownRows.flatMap((one) => columns.map((_, column) => one.pages[one.page][methodIn(column)]));
    const items = [...new Set(seen.filter((one) => one))]; // flipped, two columns show the same
    enlarge(items.map((one) => described(one, sortMetric())), items.indexOf(own), sortMetric());
  }

  // ------------------------------------------------------------------------------------------------------------

  /** All rows, for paper; returns what brings the screen back. */
  function unfoldGrid() {
    const top = scrolled;
    grid.classList.add("all");
    shownRows.forEach((_, place) => { if (!drawn.has(place)) insert(place); });
    return () => {
      grid.classList.remove("all");
      grid.scrollTop = top;
      draw();
    };
  }

  let width = 0;
  new ResizeObserver(() => {
    if (printing.matches || grid.classList.contains("all")) return;
    if (grid.clientWidth === width) draw();
    else {
      width = grid.clientWidth;
      measure();
    }
  }).observe(grid);
  grid.addEventListener("scroll", draw, { passive: true });
