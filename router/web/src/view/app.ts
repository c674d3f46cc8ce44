// What all screens share: who is logged in, and their model.

import { createRoot, createSignal } from "solid-js";
import { eraseDisks } from "../disk/disk";
import { Http } from "../net/http";
import { notifyOf, takeBack } from "./notify";
import { Model } from "./model";
import { loadSession, onSessionElsewhere, saveSession, type Session } from "./session";

const [model, setModel] = createSignal<Model | null>(null);
/** Why the person has to log in, when it was not their own doing here. */
const [ended, setEnded] = createSignal(false);
export { model, ended };

let forget: (() => void) | null = null;

const begin = (session: Session): void => {
  forget?.();
  createRoot((dispose) => {
    const fresh = new Model(session, {
      arrived: (message) => notifyOf(fresh, message),
      over: () => void end("revoked"),
    });
    forget = () => {
      fresh.stop("tab");
      dispose();
      forget = null;
    };
    setEnded(false);
    setModel(fresh);
  });
};

/** The session is over. Nothing of it stays on this device. */
const end = async (why: "revoked" | "here"): Promise<void> => {
  const was = model();
  if (was === null) return;
  saveSession(null);
  setEnded(why === "revoked");
  setModel(null);
  was.stop("over");
  forget?.();
  await Promise.all([eraseDisks(was.me), takeBack(() => true)]);
};

export const logOut = async (): Promise<void> => {
  const was = model();
  // Not reached: the session ends by itself in time, and what is on this device goes at once.
  const told = was?.http.logOut().catch(() => {});
  await end("here");
  await told;
};

export const logIn = async (session: Session): Promise<void> => {
  // Of whoever was here before, and did not log out.
  await eraseDisks();
  saveSession(session);
  begin(session);
};

/** For those who have no account yet. */
export const stranger = new Http(null);

export const start = (): void => {
  const session = loadSession();
  if (session !== null) begin(session);
  onSessionElsewhere(() => {
    const now = loadSession();
    const was = model();
    if (now?.session_id === undefined) {
      if (was !== null) {
        setModel(null);
        forget?.();
      }
    } else if (now.user_id !== was?.me) begin(now);
  });
};
