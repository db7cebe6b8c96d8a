import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// jsdom has neither layout nor media queries; the real ones are used in the browser test.
vi.stubGlobal("scrollTo", () => undefined);
window.matchMedia = (media) =>
  ({ media, matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }) as unknown as MediaQueryList;

afterEach(cleanup);
