// Runs before the first paint, so that a chosen theme never flashes. A file, not inline: the CSP allows only our own files.
try {
  const chosen = localStorage.getItem("lamplight.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be forbidden; then the system's theme holds.
}
