// A field of a form: label, hint, and what is wrong with it.

import { TextField } from "@kobalte/core/text-field";
import { createSignal, Show, type JSX } from "solid-js";
import { t } from "../i18n";
import { Eye, EyeOff } from "./icons";

type FieldProps = {
  label: string;
  name: string;
  value: string;
  onInput: (value: string) => void;
  hint?: string | undefined;
  optional?: boolean;
  error?: string | undefined;
  type?: "text" | "email" | "password";
  autocomplete?: string;
  autofocus?: boolean;
  maxLength?: number;
  required?: boolean;
  /** What a phone's keyboard makes large of itself. */
  capitals?: "words" | "sentences";
  lines?: boolean;
  after?: JSX.Element;
};

export const Field = (props: FieldProps) => {
  const [shown, setShown] = createSignal(false);
  const isPassword = () => props.type === "password";
  return (
    <TextField
      class="field"
      name={props.name}
      value={props.value}
      onChange={props.onInput}
      required={props.required ?? false}
      validationState={props.error === undefined ? "valid" : "invalid"}
    >
      <TextField.Label class="field-label">
        {props.label}
        <Show when={props.optional === true}>
          <span class="field-optional">{t("new.optional")}</span>
        </Show>
      </TextField.Label>
      <div class="field-box">
        <Show
          when={props.lines === true}
          fallback={
            <TextField.Input
              class="field-input"
              dir="auto"
              type={isPassword() && shown() ? "text" : (props.type ?? "text")}
              autocomplete={props.autocomplete ?? "off"}
              autocapitalize={props.capitals ?? "none"}
              spellcheck={props.capitals === "sentences"}
              maxLength={props.maxLength}
              ref={(el: HTMLInputElement) => props.autofocus === true && queueMicrotask(() => el.focus())}
            />
          }
        >
          <TextField.TextArea class="field-input" dir="auto" rows={3} maxLength={props.maxLength} autocapitalize={props.capitals ?? "sentences"} />
        </Show>
        <Show when={isPassword()}>
          <button type="button" class="icon-button field-eye" aria-label={shown() ? t("field.hide") : t("field.show")} aria-pressed={shown()} onClick={() => setShown(!shown())}>
            {shown() ? <EyeOff /> : <Eye />}
          </button>
        </Show>
      </div>
      {props.after}
      <Show when={props.error}>{(error) => <TextField.ErrorMessage class="field-error">{error()}</TextField.ErrorMessage>}</Show>
      <Show when={props.hint}>{(hint) => <TextField.Description class="field-hint">{hint()}</TextField.Description>}</Show>
    </TextField>
  );
};
