// What the browser tests ask a page: where the focus is and whether it is seen, what moves, what a colour says alone.
window.hands = (() => {
  const TABBABLE = "a[href], button, input, select, textarea, summary, [tabindex='0'], [contenteditable=true]";

  const colour = (text) => {
    const [r, g, b, a = 1] = (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    return { rgb: text.startsWith("color(") ? [r * 255, g * 255, b * 255] : [r, g, b], a };
  };
  // relative luminance and contrast as WCAG 2.2 defines them
  const light = ({ rgb }) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (from) => {
    for (let at = from; at !== null; at = at.parentElement) {
      const found = colour(getComputedStyle(at).backgroundColor);
      if (found.a === 1) return found;
    }
    return { rgb: [255, 255, 255], a: 1 };
  };

  const called = (one) => {
    const name = one.getAttribute("aria-label") ?? one.innerText?.slice(0, 40) ?? "";
    return `${one.localName} ${name} ${one.name ?? ""}`.replace(/\s+/g, " ").trim();
  };

  /** What has the focus, also inside of a shadow root. */
  const deepest = (root = document) => {
    const at = root.activeElement;
    return at?.shadowRoot ? deepest(at.shadowRoot) : at;
  };

  /**
   * Why the focus on it would not be seen; "" where it is: a ring of two pixels that stands out from what is around it,
   * not scrolled away and not covered. The label around a field may draw it, or the editor around its text.
   */
  const unseen = (one) => {
    const ring = [one, one.closest("label"), one.closest(".cm-editor")].find((at) => {
      const style = at && getComputedStyle(at);
      return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    });
    if (ring === undefined) return "no ring";
    const { outlineColor, outlineOffset } = getComputedStyle(ring);
    const by = contrast(colour(outlineColor), ground(parseFloat(outlineOffset) < 0 ? ring : ring.parentElement));
    if (by < 3) return `the ring does not stand out (${by.toFixed(1)}:1)`;

    const box = one.getBoundingClientRect();
    const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
    const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
    if (right - left < 1 || bottom - top < 1) return "outside of the window";
    const over = document.elementsFromPoint((left + right) / 2, (top + bottom) / 2)[0] ?? document.body;
    const label = one.closest("label");
    const isFree = one.contains(over) || over.contains(one) || label?.contains(over) || over === one.getRootNode().host;
    return isFree ? "" : `covered by ${called(over)}`;
  };

  /** All that Tab reaches gets the focus, one after the other; and what answers to a mouse only. */
  const hidden = () => {
    const shadows = [...document.querySelectorAll("*")].flatMap(({ shadowRoot }) => shadowRoot ?? []);
    const all = [document, ...shadows].flatMap((root) => [...root.querySelectorAll(TABBABLE)]);
    const found = [];
    for (const one of all) {
      if (!one.checkVisibility({ visibilityProperty: true }) || one.tabIndex < 0 || one.disabled) continue;
      if (one.type === "radio" && !one.checked) continue;
      one.focus();
      if (deepest() !== one) found.push(`${called(one)}: takes no focus`);
      else if (unseen(one) !== "") found.push(`${called(one)}: ${unseen(one)}`);
    }
    for (const one of document.querySelectorAll("body *")) {
      if (getComputedStyle(one).cursor !== "pointer" || one.closest("label, [role=option]")) continue;
      if (!one.closest(TABBABLE)) found.push(`${called(one)}: for a mouse only`);
    }
    document.activeElement?.blur();
    scrollTo(0, 0);
    return found;
  };

  const moving = () =>
    document
      .getAnimations()
      .map(({ animationName, transitionProperty, effect }) => `${animationName ?? transitionProperty} of ${effect?.target?.className}`);

  const colourAlone = () => {
    const main = document.querySelector("main") ?? document.body;
    const found = [];
    for (const one of main.querySelectorAll("[data-tone], [data-state]")) {
      if (one.matches("figure, div[data-tone]")) continue;
      if (one.querySelector("svg") === null && one.innerText.trim() === "") found.push(`${called(one)}: neither shape nor word`);
    }
    for (const chart of main.querySelectorAll("figure")) {
      const labelled = document.getElementById(chart.getAttribute("aria-labelledby"));
      const title = chart.getAttribute("aria-label") ?? labelled?.innerText ?? "?";
      const lines = [...chart.querySelectorAll("li > svg > path:first-child")];
      const looks = lines.map((line) => ["d", "stroke-width", "stroke-dasharray"].map((name) => line.getAttribute(name)).join(" "));
      if (new Set(looks).size < looks.length) found.push(`chart ${title}: lines that differ by colour alone`);
      if (chart.querySelectorAll("header button[aria-pressed]").length !== 1) found.push(`chart ${title}: no table beside it`);
    }
    const loose = [...main.querySelectorAll("canvas, svg[role=img]")].filter((one) => !one.closest("figure"));
    return [...found, ...loose.map((one) => `a ${one.localName} outside of a figure`)];
  };

  /** Keeps, from now on, what a screen reader is told politely. */
  const listen = () => {
    window.heard = [];
    const region = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest("[aria-live], [role=status], [role=log]");
    const hear = (changes) => {
      const whole = new Map();
      for (const { target, addedNodes } of changes) {
        const at = region(target);
        if (!at || at.getAttribute("aria-live") === "off") continue;
        if (at.getAttribute("aria-relevant") !== "additions") whole.set(at, at.textContent.trim());
        else for (const { textContent } of addedNodes) window.heard.push(textContent);
      }
      for (const text of whole.values()) if (text && window.heard.at(-1) !== text) window.heard.push(text);
    };
    new MutationObserver(hear).observe(document.body, { childList: true, subtree: true, characterData: true });
  };

  return { called, deepest, unseen, hidden, moving, colourAlone, listen };
})();
