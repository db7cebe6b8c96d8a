import { useEffect } from "react";

/**
 * What has the focus may go away: a row is deleted, a form is done. The focus then goes to the nearest part around it
 * that is left and can take it; else a keyboard would start again at the top of the page.
 */
export function useFocusKept(): void {
  useEffect(() => {
    let chain: HTMLElement[] = [];
    const remember = ({ target }: FocusEvent) => {
      chain = [];
      for (let at = target as HTMLElement | null; at instanceof HTMLElement && at !== document.body; at = at.parentElement) {
        if (chain.length === 0 || at.hasAttribute("tabindex")) chain.push(at);
      }
    };
    const forget = ({ target }: FocusEvent) =>
      queueMicrotask(() => {
        if ((target as HTMLElement).isConnected && document.activeElement === document.body) chain = [];
      });
    const look = () => {
      const [held, ...around] = chain;
      if (held === undefined || held.isConnected || document.activeElement !== document.body) return;
      chain = [];
      around.find(({ isConnected }) => isConnected)?.focus({ preventScroll: true });
    };
    const changes = new MutationObserver(look);
    changes.observe(document.body, { childList: true, subtree: true });
    document.addEventListener("focusin", remember);
    document.addEventListener("focusout", forget);
    return () => {
      changes.disconnect();
      document.removeEventListener("focusin", remember);
      document.removeEventListener("focusout", forget);
    };
  }, []);
}
