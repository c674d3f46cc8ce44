// The service worker: keeps the shell for when there is no network. And the way out of a page that is too old.

const RELOADED = "skep.reloaded";

export const startWorker = (): void => {
  if (import.meta.env.PROD) navigator.serviceWorker?.register("/sw.js").catch(() => {});
  // A cell that was added after this page was loaded: its address is in a newer page's policy.
  document.addEventListener("securitypolicyviolation", (event) => {
    if (event.effectiveDirective === "connect-src") reloadOnce();
  });
  // A part of the app that a newer version no longer has.
  addEventListener("vite:preloadError", reloadOnce);
};

const reloadOnce = (): void => {
  try {
    const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
    if (Date.now() - last < 60_000) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
    location.reload();
  } catch {
    // Without a memory of it, it could go on for ever.
  }
};
