  // Keys of letters work where the grid or an enlarged picture has the focus; ? shows them all, wherever nothing is typed.

  const help = byId("keys");
  const press = (button) => { if (button && !button.disabled) button.click(); };

  /** What each letter does in the grid; a letter of what the page does not have does nothing. */
  const IN_GRID = {
    f: () => press(flipped.button),
    a: () => { if (flipped.button && active.column >= 0) chooseFlip("a", columns[active.column]); },
    b: () => { if (flipped.button && active.column >= 0) chooseFlip("b", columns[active.column]); },
    n: () => turnPage(active.place, 1),
    p: () => turnPage(active.place, -1),
    r: () => turnReference(active.place),
    m: () => press(masked),
    v: () => press(byId("maps")),
  };
  const IN_LARGE = {
    f: () => press(dialog.querySelector(".flip")),
    m: () => press(masked),
    v: () => press(dialog.querySelector(".maps button")),
  };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const { target } = event;
    if (target.matches("select, textarea, input:not([type=range], [type=radio])")) return;
    const letters = dialog.contains(target) ? IN_LARGE : grid.contains(target) ? IN_GRID : {};
    const act = event.key === "?" ? showKeys : letters[event.key.toLowerCase()];
    if (!act || help.open) return;
    event.preventDefault();
    act();
  });

  function showKeys() {
    if (!help.open) help.showModal();
  }

  byId("help").addEventListener("click", showKeys);
  help.querySelector("button").addEventListener("click", () => help.close());
  help.addEventListener("click", (event) => { if (event.target === help) help.close(); });

  const maps = byId("maps");
  if (maps) {
    maps.addEventListener("click", () => {
      mapping = !mapping;
      maps.setAttribute("aria-pressed", String(mapping));
      redrawAll();
    });
  }
