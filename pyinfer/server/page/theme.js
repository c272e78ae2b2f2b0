// Runs before the page is drawn: a chosen theme must not flash the system's first.
"use strict";
try {
  const theme = JSON.parse(localStorage.getItem("pyinfer.settings") ?? "{}").theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is closed or holds something else: the system's theme stays.
}
