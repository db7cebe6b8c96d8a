// Runs before the first paint. A file, not inline: the CSP allows only our own files.

// A chosen theme never flashes.
try {
  const chosen = localStorage.getItem("lamplight.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be forbidden; then the system's theme holds.
}

// A script or style of the page that does not come is said, and asked for again once the server answers.
addEventListener(
  "error",
  ({ target }) => {
    if (!(target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.rel === "stylesheet"))) return;
    // what comes later has its place in the page that is there already
    if (document.getElementById("root")?.hasChildNodes()) return;
    const say = () => {
      document.documentElement.dataset.first = "failed";
      document.getElementById("not-fetched")?.removeAttribute("hidden");
    };
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", say);
    else say();
    setInterval(
      () =>
        fetch("/healthz", { cache: "no-store" }).then(
          ({ ok }) => ok && location.reload(),
          () => undefined,
        ),
      3000,
    );
  },
  true,
);
