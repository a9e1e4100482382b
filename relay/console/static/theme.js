"use strict";
// Before the first paint: the theme that was chosen here, else that of the system.
(() => {
  try {
    const chosen = localStorage.getItem("outbox-theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be switched off; the system's theme stays.
  }
})();
