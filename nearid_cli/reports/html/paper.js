  // Theme and paper. On paper stands everything that the screen shows in turn: it is unfolded first, and folded again.

  const theme = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const showTheme = () => theme.setAttribute("aria-pressed", String(dark()));
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    showTheme();
  });
  system.addEventListener("change", showTheme);

  let folding = null; // what brings the screen back; null while nothing is unfolded

  /** Fill every strip to its end and open what is closed. */
  function unfold() {
    if (folding) return;
    const at = scrollY;
    folding = [() => scrollTo({ top: at, behavior: "instant" })];
    for (const one of cards.filter((card) => !card.filled && !card.section.hidden)) {
      // A card that was near before the order changed still shows what it showed then.
      const [waiting, shown] = [one.section.classList.contains("waiting"), [...one.body.childNodes]];
      fillCard(one);
      folding.unshift(() => {
        one.section.classList.toggle("waiting", waiting);
        one.body.replaceChildren(...shown);
        emptyCard(one);
      });
    }
    folding.unshift(unfoldGrid());
    for (const entry of document.querySelectorAll(".more")) {
      const rest = rests.get(entry)();
      entry.before(...rest);
      folding.unshift(() => rest.forEach((tile) => tile.remove()));
    }
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      folding.unshift(() => { details.open = false; });
    }
    for (const picture of document.querySelectorAll("img[loading=lazy]")) picture.loading = "eager";
  }

  function fold() {
    const steps = folding || [];
    folding = null;
    steps.forEach((step) => step());
  }

  /** A served picture that did not come in time would be an empty frame on paper: its name stands there instead. */
  function nameWhatIsNotThere() {
    for (const picture of document.querySelectorAll("#grid img, #gallery img, .some img")) {
      if (picture.complete || picture.src.startsWith("data:")) continue;
      const name = names.get(picture)();
      picture.replaceWith(name);
      folding.unshift(() => name.replaceWith(picture));
    }
  }

  addEventListener("beforeprint", () => { unfold(); nameWhatIsNotThere(); });
  addEventListener("afterprint", fold);
  printing.addEventListener("change", (event) => (event.matches ? unfold() : fold()));

  byId("print").addEventListener("click", async () => {
    unfold();
    await Promise.allSettled([...document.images].map((picture) => picture.decode()));
    print();
  });

  byId("unscripted").remove();
  byId("print").hidden = false;
  showTheme();
  readAddress();
