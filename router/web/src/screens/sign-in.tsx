// Logging in, and making an account: one card.

import { createSignal, lazy, Show, Suspense, type JSX } from "solid-js";
import { createStore } from "solid-js/store";
import { t } from "../i18n";
import { ApiError } from "../net/http";
import { strength } from "../text/strength";
import { Button } from "../ui/button";
import { Field } from "../ui/field";
import { Mark } from "../ui/icons";
import { ended, logIn, stranger } from "../view/app";
import { fieldErrors, sentence } from "../view/errors";
import { deviceName, loadChoice, saveChoice, sessionOf } from "../view/session";

const PickImage = lazy(() => import("./pick-image"));

/** `above`: what one came for, such as a channel to join. */
export const SignIn = (props: { above?: JSX.Element }) => {
  // Who was here before most likely has an account.
  const [isNew, setNew] = createSignal(loadChoice("known") !== "yes" && !ended());
  const [form, setForm] = createStore({ login: "", username: "", display_name: "", email: "", password: "" });
  const [image, setImage] = createSignal<Blob | null>(null);
  const [errors, setErrors] = createSignal<Record<string, string>>({});
  const [wrong, setWrong] = createSignal("");
  const [busy, setBusy] = createSignal(false);

  const field = (name: keyof typeof form) => ({
    name,
    value: form[name],
    error: errors()[name],
    required: true,
    onInput: (value: string) => {
      setForm(name, value);
      setErrors(({ [name]: _, ...others }) => others);
    },
  });

  const lacking = (): Record<string, string> => {
    const names = isNew() ? (["display_name", "username", "email", "password"] as const) : (["login", "password"] as const);
    return Object.fromEntries(names.filter((n) => form[n].trim() === "").map((n) => [n, t("invalid.required")]));
  };

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy()) return;
    setWrong("");
    setErrors(lacking());
    if (Object.keys(errors()).length > 0) return focusWrong();
    setBusy(true);
    try {
      const device = deviceName();
      const { display_name, email, password, login } = form;
      const username = form.username.trim().toLowerCase();
      const answer = isNew()
        ? await stranger.signUp({ username, display_name: display_name.trim(), email: email.trim(), password, device }, image())
        : await stranger.logIn(login.trim(), password, device);
      saveChoice("known", "yes");
      await logIn(sessionOf(answer));
    } catch (error) {
      const fields = fieldErrors(error);
      setErrors(fields);
      if (Object.keys(fields).length > 0) focusWrong();
      else setWrong(error instanceof ApiError && error.code === "unauthenticated" ? t("login.wrong") : sentence(error));
    } finally {
      setBusy(false);
    }
  };

  const focusWrong = (): void => {
    queueMicrotask(() => document.querySelector<HTMLElement>(".card [aria-invalid=true]")?.focus());
  };

  return (
    <main class="welcome">
      <div class="card">
        <div class="card-head">
          <Show
            when={props.above}
            fallback={
              <>
                <p class="brand">
                  <Mark />
                  {t("app")}
                </p>
                <h1 class="card-title">{isNew() ? t("signup.title") : t("login.title")}</h1>
              </>
            }
          >
            {props.above}
          </Show>
          <Show when={ended()}>
            <p class="note">{t("login.ended")}</p>
          </Show>
        </div>
        <form onSubmit={(event) => void submit(event)} novalidate>
          <Show
            when={isNew()}
            fallback={<Field {...field("login")} label={t("field.login")} autocomplete="username" autofocus />}
          >
            <Suspense fallback={<div class="pick-image" />}>
              <PickImage id={form.username || "new"} name={form.display_name} current={null} onPicked={(chosen) => (setImage(chosen), true)} />
            </Suspense>
            <Field {...field("display_name")} label={t("field.display_name")} hint={t("field.display_name.hint")} autocomplete="name" capitals="words" maxLength={64} autofocus />
            <Field {...field("username")} label={t("field.username")} hint={t("field.username.hint")} autocomplete="username" maxLength={32} />
            <Field {...field("email")} label={t("field.email")} hint={t("field.email.hint")} type="email" autocomplete="email" maxLength={254} />
          </Show>
          <Field
            {...field("password")}
            label={t("field.password")}
            type="password"
            autocomplete={isNew() ? "new-password" : "current-password"}
            maxLength={256}
            after={
              <Show when={isNew()}>
                <Strength password={form.password} />
              </Show>
            }
          />
          <Show when={wrong() !== ""}>
            <p class="form-error" role="alert">
              {wrong()}
            </p>
          </Show>
          <Button look="main" type="submit" busy={busy()} class="button-wide">
            {isNew() ? t("signup.submit") : t("login.submit")}
          </Button>
        </form>
        <Button
          look="plain"
          class="button-wide"
          onClick={() => {
            setNew(!isNew());
            setErrors({});
            setWrong("");
          }}
        >
          {isNew() ? t("signup.instead") : t("login.instead")}
        </Button>
      </div>
    </main>
  );
};

export const Strength = (props: { password: string }) => {
  const level = () => strength(props.password);
  return (
    <div class="strength" role="status">
      <div class={`strength-bar strength-${level()}`} aria-hidden="true">
        <i />
        <i />
        <i />
        <i />
      </div>
      <span class="field-hint">{t(`strength.${level()}`)}</span>
    </div>
  );
};
