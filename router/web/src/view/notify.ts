// Notifications of new messages: only when nobody looks, and only if the person wants them.

import { createSignal } from "solid-js";
import { t } from "../i18n";
import type { Message } from "../protocol";
import { safeName, nameOf } from "../text/names";
import type { Model } from "./model";
import { open } from "./place";
import { loadChoice, saveChoice } from "./session";

const [wanted, setWanted] = createSignal(loadChoice("notifications") === "on");
export { wanted as notificationsWanted };

const permitted = (): NotificationPermission | "unsupported" => (typeof Notification === "undefined" ? "unsupported" : Notification.permission);
const [permission, setPermission] = createSignal(permitted());
export { permission };

/** Must come from a click: browsers ask only then. */
export const wantNotifications = async (on: boolean): Promise<void> => {
  if (on && permitted() === "default") await Notification.requestPermission();
  setPermission(permitted());
  const given = on && permitted() === "granted";
  setWanted(given);
  saveChoice("notifications", given ? "on" : "off");
};

export const notifyOf = (model: Model, message: Message): void => {
  if (!wanted() || permitted() !== "granted" || model.seen().any) return;
  const kept = model.conversation(message.conversation_id);
  const name = nameOf(model.person(message.sender_id), t("notify.new"));
  const title = kept?.info.title == null ? name : `${name} · ${safeName(kept.info.title)}`;
  const body = message.text.slice(0, 200);
  const tag = message.conversation_id;
  void show(title, { body, tag, icon: "/icon-192.png", badge: "/icon-192.png", data: { id: tag } });
};

const registration = (): Promise<ServiceWorkerRegistration | undefined> => navigator.serviceWorker?.getRegistration().catch(() => undefined);

/** Those of conversations for which it holds need not be told any more: read, be it elsewhere, or not this person's. */
export const takeBack = async (isOver: (conversation_id: string) => boolean): Promise<void> => {
  if (permitted() !== "granted") return;
  const worker = await registration();
  for (const shown of (await worker?.getNotifications()) ?? []) if (isOver(shown.tag)) shown.close();
};

const show = async (title: string, options: NotificationOptions): Promise<void> => {
  const worker = await registration();
  if (worker?.active) return worker.showNotification(title, options);
  const shown = new Notification(title, options);
  shown.onclick = () => {
    focus();
    open(String(options.tag));
  };
};

export const startNotifications = (): void => {
  // Given or taken away in the browser's settings.
  void navigator.permissions?.query({ name: "notifications" }).then((status) => (status.onchange = () => setPermission(permitted()))).catch(() => {});
  // A click on a notification that the service worker shows.
  navigator.serviceWorker?.addEventListener("message", ({ data }: MessageEvent<{ open?: string }>) => {
    if (typeof data?.open === "string") open(data.open);
  });
};
