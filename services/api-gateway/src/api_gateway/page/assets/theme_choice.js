// Dark, light, or as the system has it; theme.js sets it before the first paint.

const THEMES = ["system", "dark", "light"];

export function theme() {
  return document.documentElement.dataset.theme;
}

export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
}
