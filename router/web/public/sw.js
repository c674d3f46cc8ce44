// The service worker: the shell without a network, and clicks on notifications. Messages are none of its business.

const VERSION = "__VERSION__";
const SHELL = ["__SHELL__"];
const CACHE = `skep-shell-${VERSION}`;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(SHELL.map((url) => new Request(url, { cache: "no-cache" }))))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("skep-shell-") && name !== CACHE);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || url.pathname.startsWith("/v1/")) return;
  if (request.mode === "navigate") {
    // The newest page where there is a network: its policy names the cells there are now.
    event.respondWith(fetch(request).catch(() => caches.match("/").then((shell) => shell ?? Response.error())));
  } else if (SHELL.includes(url.pathname)) {
    event.respondWith(caches.match(url.pathname).then((kept) => kept ?? fetch(request)));
  }
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const id = event.notification.data?.id;
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then(async (windows) => {
      // Not one that reads the documents of the contract.
      const app = windows.find((window) => new URL(window.url).pathname === "/");
      if (app === undefined) return self.clients.openWindow(`/#${id}`);
      app.postMessage({ open: id });
      await app.focus();
    }),
  );
});
