// Before the first paint, so that nothing flashes. The rest of the theme is in keys.js.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing shows what the system wants.
  }
})();
