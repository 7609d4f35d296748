  // What the grid's rows hold: a subject's reference, and the generation of each method that belongs beside the others.

  const rows = data.rows.map(([subject, name]) => ({ subject, name, cells: data.methods.map(() => []), page: 0 }));
  generations.forEach((one, number) => rows[data.cells[number]].cells[one.method].push(one));
  rows.forEach((row, place) => {
    const before = rows[place - 1];
    row.number = before && before.subject === row.subject ? before.number + 1 : 1;
    Object.assign(row, paged(row.cells));
  });
  const rowOf = (generation) => rows[data.cells[generation.row]];

  /**
   * Several generations of one cell are shown in turn, those of a row together: seed by seed where the seeds of each
   * method are among those of the one that has most, else by their places.
   */
  function paged(cells) {
    const most = cells.reduce((a, b) => (b.length > a.length ? b : a));
    const seeds = most.map((one) => one.seed);
    const apart = (list) => new Set(list.map((one) => one.seed)).size === list.length;
    const seeded = most.length > 1 && !seeds.includes(null)
      && cells.every((list) => apart(list) && list.every((one) => seeds.includes(one.seed)));
    if (!seeded) return { pages: most.map((_, place) => cells.map((list) => list[place])), seeds: null };
    seeds.sort(natural);
    return { pages: seeds.map((seed) => cells.map((list) => list.find((one) => one.seed === seed))), seeds };
  }

  /** What a row is of, beside its subject. */
  const asks = (row) => (row.name === null ? "no. " + row.number + " of each" : row.name);

  /** Why a method has nothing to show in a row. */
  function lack(row, method) {
    const own = row.cells[method].length;
    if (own) return row.seeds ? "not with seed " + row.seeds[row.page] : "only " + own + " here";
    return data.subjects[row.subject].scores[method] ? "no generation" : "not this subject";
  }

  /** Where a score lies between the floor (0) and the ceiling (1) of its subject, and that in words; null without both. */
  function level(item, metric) {
    const ends = (data.subjects[item.subject].ends[item.method] || [])[metric];
    const score = item.scores[metric];
    if (!ends || !known(score)) return null;
    const [floor, ceiling] = ends.slice(0, 2).map((end) => figure(end, metric));
    const height = (ends[1] - ends[0]) * (data.lower[metric] ? -1 : 1);
    if (ends[2] || height <= 0) {
      return { share: null, said: "floor " + floor + " and ceiling " + ceiling + " are no farther apart than chance may put them" };
    }
    const share = (score - ends[0]) / (ends[1] - ends[0]);
    const said = share < 0 ? "beyond the floor " + floor + "; the ceiling is " + ceiling
      : share > 1 ? "beyond the ceiling " + ceiling + "; the floor is " + floor
        : Math.round(100 * share) + " % of the way from the floor " + floor + " to the ceiling " + ceiling;
    return { share, said };
  }

  const BEYOND = 0.25; // so far beyond floor and ceiling the bar goes, of their distance

  /** A thin bar from the floor to the ceiling, with a tick at the score; an arrow where that is off the bar. */
  function levelBar(found) {
    if (!found || found.share === null) return make("span", { className: "level none", "aria-hidden": "true" });
    const at = Math.min(1 + BEYOND, Math.max(-BEYOND, found.share));
    const off = found.share < at ? " under" : found.share > at ? " over" : "";
    const bar = make("span", { className: "level" + off, "aria-hidden": "true" }, make("span", { className: "tick" }));
    bar.style.setProperty("--at", at);
    return bar;
  }

  const referencesOf = data.subjects.map((_, subject) => references(subject));
  const turns = new Map(); // by subject, which reference was asked for

  /** The reference that a generation nearly copies by a metric; undefined for none. */
  const nearCopy = (item, metric) => ((item.near || []).find(([by]) => by === metric) || [])[1];

  /** Which reference stands in a row: the one asked for, else the one that something in the row copies, else the first. */
  function referenceIn(row) {
    if (turns.has(row.subject)) return turns.get(row.subject);
    const own = row.pages[row.page].filter((one) => one);
    const copied = [...own.map((one) => one.copyOf), ...own.map((one) => nearCopy(one, sortMetric()))].filter(known)[0];
    return Math.max(referencesOf[row.subject].findIndex((one) => one.name === copied), 0);
  }

  /** A cell of the grid; `column` -1 is that of the references. */
  function cell(row, column, method, metric) {
    const element = make("div", { role: "gridcell", className: "cell", tabIndex: -1, "aria-colindex": column + 3 });
    if (column < 0) {
      const place = referenceIn(row);
      const all = referencesOf[row.subject];
      element.classList.add("reference");
      if (!all.length) return blank(element, "no reference");
      element.title = all[place].name;
      element.append(frame(all[place], ""), levelBar(null), make("span", { className: "number" },
        make("span", { "aria-hidden": "true" }, all.length > 1 ? place + 1 + " of " + all.length : "reference")));
      return element;
    }
    const found = row.pages[row.page][method];
    if (!found) return blank(element, lack(row, method));
    const at = level(found, metric);
    const copies = found.copyOf ? ["copy of " + found.copyOf]
      : (found.near || []).map(([by, name]) => "by " + data.metrics[by] + " nearly a copy of " + name);
    const item = described(found, metric);
    item.alt = [item.alt, ...(at ? [at.said] : []), ...copies].join(", ");
    const map = mapping && found.maps;
    if (map) Object.assign(item, { picture: map[0][1], alt: item.alt + ", where identity broke" });
    element.classList.toggle("wanted", wanted !== null && wanted.has(found.row));
    element.title = [found.name, named(metric) + " " + scored(found, metric), ...(at ? [at.said] : []), ...copies].join("\n");
    const number = make("span", { className: "number", "aria-hidden": "true" }, make("span", {}, scored(found, metric)));
    const nearly = nearCopy(found, metric) ? "near copy" : "";
    if (found.copyOf || nearly) number.append(make("em", {}, found.copyOf ? "copy" : nearly));
    element.append(frame(item, " own " + colour(method)), levelBar(at), number);
    element.dataset.paper = data.labels[method];
    return element;
  }

  const frame = (item, kind) => make("span", { className: "frame" + kind }, image(item, false));

  function blank(element, why) {
    element.classList.add("blank");
    element.append(make("span", { className: "frame" }, make("span", { className: "missing" }, why)));
    return element;
  }
