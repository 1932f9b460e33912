// Before anything is drawn, so that nothing flashes; which is why this is no module.
"use strict";
{
  let chosen = null;
  try {
    chosen = JSON.parse(localStorage.getItem("lobby.theme"));
  } catch {
    // Nothing is kept here: the system's choice it is.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
