// Light or dark: as the system has it, until somebody chooses.

import * as keep from "../keep.js";
import { find } from "./dom.js";

const system = matchMedia("(prefers-color-scheme: dark)");

export function watchTheme() {
  const toggle = find("theme");
  toggle.addEventListener("click", () => choose(isDark() ? "light" : "dark"));
  system.addEventListener("change", show);
  show();
}

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : system.matches;
}

function choose(theme) {
  document.documentElement.dataset.theme = theme;
  keep.theme.write(theme);
  show();
}

function show() {
  find("theme").setAttribute("aria-pressed", String(isDark()));
}
