  // Which generations are shown, and in which order. The address says it too, so that a link shows the same.

  const controls = {
    method: byId("method"), subject: byId("subject"), show: byId("show"), sort: byId("sort"), order: byId("order") };
  let turned = false; // the order, from worst first to best first
  const disagreed = new Set(data.disagreements.flat(2));
  const failed = new Set(data.failed);

  /** What may be shown alone, by its name in an address; what the page has none of is no choice. */
  const KINDS = {
    worst: ["the worst tenth", (all) => byScore(all, sortMetric(), data.lower[sortMetric()])
      .filter((one) => known(one.scores[sortMetric()])).slice(0, Math.ceil(all.length / 10))],
    disagreements: ["what metrics disagree about", (all) => all.filter((one) => disagreed.has(one.row))],
    failed: ["what failed the gate", (all) => all.filter((one) => failed.has(one.row))],
    copies: ["copies of a reference", (all) => all.filter((one) => one.copyOf !== null)],
    near: ["near copies of a reference", (all) => all.filter((one) => one.near)],
  };

  const option = (value, text) => make("option", { value }, text);
  controls.method.append(option("", "all"), ...data.methods.map((name, place) => option(place, name)));
  controls.method.parentElement.hidden = data.methods.length < 2;
  controls.sort.append(...data.metrics.map((_, place) => option(place, named(place))), option("name", "name"));
  controls.show.append(option("", "all"));

  const byName = () => controls.sort.value === "name";
  const sortMetric = () => (byName() ? 0 : Number(controls.sort.value));
  /** Whether numbers fall: worst first is that where lower is better. */
  const descending = () => turned !== (!byName() && data.lower[Number(controls.sort.value)]);

  for (const [kind, [text, choose]] of Object.entries(KINDS)) {
    if (choose(generations).length) controls.show.append(option(kind, text));
  }

  function matches(generation) {
    const wanted = controls.subject.value.trim().toLowerCase();
    return (controls.method.value === "" || generation.method === Number(controls.method.value))
      && data.subjects[generation.subject].name.toLowerCase().includes(wanted);
  }

  /** The generations that the controls ask for. */
  function asked() {
    const all = generations.filter(matches);
    return controls.show.value ? KINDS[controls.show.value][1](all) : all;
  }

  /** What the controls say, for paper, where they are not. */
  function stated() {
    const chosen = (control) => control.selectedOptions[0].textContent;
    const parts = [byId("shown").textContent];
    if (controls.show.value) parts.push(chosen(controls.show));
    if (controls.method.value !== "") parts.push("of method " + chosen(controls.method));
    if (controls.subject.value.trim()) parts.push("of subjects with “" + controls.subject.value.trim() + "” in their name");
    return parts.join(", ") + ", by " + chosen(controls.sort) + ", " + (descending() ? "descending." : "ascending.");
  }

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

  // The address ------------------------------------------------------------------------------------------------

  const PLACE = "#pictures";

  /** What differs from a page that was just opened, by names that another report of the same methods knows too. */
  function writeAddress() {
    if (location.protocol === "about:") return; // in a frame of a notebook there is no address to keep
    const said = new URLSearchParams();
    if (controls.show.value) said.set("show", controls.show.value);
    if (controls.subject.value.trim()) said.set("subject", controls.subject.value.trim());
    if (controls.method.value !== "") said.set("method", data.labels[controls.method.value]);
    if (controls.sort.value !== "0") said.set("sort", byName() ? "name" : data.metrics[controls.sort.value]);
    if (turned) said.set("order", "turned");
    if (flip.a !== 0 || flip.b > 1) said.set("flip", JSON.stringify([data.labels[flip.a], data.labels[flip.b]]));
    if (said.size || location.hash.startsWith(PLACE + "&")) {
      history.replaceState(null, "", PLACE + (said.size ? "&" + said : ""));
    }
  }

  /** Set the controls by the address, and show what they ask for; what this page does not have is named. */
  function readAddress() {
    const linked = location.hash.startsWith(PLACE + "&");
    const said = new URLSearchParams(linked ? location.hash.slice(PLACE.length + 1) : "");
    const strange = [];
    const place = (names, key) => {
      if (!said.has(key)) return -1;
      const found = names.indexOf(said.get(key));
      if (found < 0) strange.push(said.get(key));
      return found;
    };
    const method = place(data.labels, "method");
    const sort = place([...data.metrics, "name"], "sort");
    const kinds = [...controls.show.options].map((one) => one.value);
    const kind = place(kinds, "show");
    controls.method.value = method < 0 ? "" : method;
    controls.sort.value = sort === data.metrics.length ? "name" : Math.max(sort, 0);
    controls.show.value = kind < 0 ? "" : kinds[kind];
    controls.subject.value = said.get("subject") || "";
    turned = said.has("order");
    if (said.has("flip")) strange.push(...readFlip(said.get("flip")));
    render();
    if (strange.length) byId("shown").textContent += "; not in this report: " + strange.join(", ");
    if (linked) byId("pictures").scrollIntoView({ behavior: "instant" });
  }

  // ------------------------------------------------------------------------------------------------------------

  function render() {
    const shown = asked();
    showStrips(shown);
    showGrid(shown);
    byId("shown").textContent = shown.length.toLocaleString("en") + " of " + count(generations.length, "generation");
    byId("filter").textContent = stated();
    byId("all").hidden = !controls.show.value && controls.method.value === "" && !controls.subject.value.trim();
    controls.order.textContent = descending() ? "Descending" : "Ascending";
    controls.order.setAttribute("aria-pressed", String(turned));
  }

  function change() {
    render();
    writeAddress();
  }

  for (const control of [controls.method, controls.subject, controls.show, controls.sort]) {
    control.addEventListener("input", change);
  }
  controls.order.addEventListener("click", () => { turned = !turned; change(); });
  byId("all").addEventListener("click", () => {
    for (const control of [controls.method, controls.subject, controls.show]) control.value = "";
    change();
    controls.show.focus(); // the button is gone
  });
  addEventListener("hashchange", () => { if (location.hash.startsWith(PLACE + "&")) readAddress(); });
  const masked = byId("masked");
  if (masked) {
    masked.addEventListener("click", () => {
      masked.setAttribute("aria-pressed", String(document.documentElement.classList.toggle("masked")));
    });
  }
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
