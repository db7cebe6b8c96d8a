import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// A deadline, not a wait: a loaded machine must not turn a slow render into a failure.
configure({ asyncUtilTimeout: 30_000 });

// jsdom has neither layout nor media queries; the real ones are used in the browser test.
vi.stubGlobal("scrollTo", () => undefined);
window.matchMedia = (media) =>
  ({ media, matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }) as unknown as MediaQueryList;

afterEach(cleanup);
