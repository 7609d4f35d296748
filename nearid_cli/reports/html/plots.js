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
    const points = generations
      .filter((one) => known(one.scores[metric]) && known(one.scores[0]))
      .map((one) => ({ one, x: x(one.scores[metric]), y: y(one.scores[0]) }));
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
      const scores = data.metrics.map((_, number) => named(number) + " " + scored(point.one, number));
      readout.textContent = [data.methods[point.one.method], point.one.name, ...scores].join(" · ");
    });
    svg.addEventListener("click", (event) => {
      const point = nearest(event);
      if (point) enlarge([described(point.one, 0)], 0, 0);
    });
  }
  document.querySelectorAll("[data-metric]").forEach(explore);

  // A box that scrolls can be reached by keyboard, and one that does not is no stop on the way.
  const boxes = new ResizeObserver((entries) => {
    for (const { target } of entries) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
  });
  document.querySelectorAll(".plots").forEach((box) => boxes.observe(box));
