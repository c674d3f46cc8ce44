// A word about what has just been done, or could not be.

import { Toast, toaster } from "@kobalte/core/toast";
import { Portal } from "solid-js/web";
import { t } from "../i18n";
import { sentence } from "../view/errors";
import { Close } from "./icons";

export const say = (text: string): void => {
  toaster.show((props) => (
    <Toast toastId={props.toastId} class="toast">
      <Toast.Description class="toast-text">{text}</Toast.Description>
      <Toast.CloseButton class="icon-button" aria-label={t("close")}>
        <Close />
      </Toast.CloseButton>
    </Toast>
  ));
};

export const sayError = (error: unknown): void => say(sentence(error));

export const Toasts = () => (
  <Portal>
    <Toast.Region duration={4000} limit={3} aria-label={t("notices")}>
      <Toast.List class="toasts" />
    </Toast.Region>
  </Portal>
);
