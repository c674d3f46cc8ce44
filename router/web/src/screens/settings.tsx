// About oneself and this device.

import { RadioGroup } from "@kobalte/core/radio-group";
import { Switch } from "@kobalte/core/switch";
import { createSignal, For, onMount, Show } from "solid-js";
import { chooseLanguage, language, LANGUAGES, t, type Language } from "../i18n";
import { ApiError, type Device } from "../net/http";
import type { Me } from "../protocol";
import { ago } from "../text/time";
import { createAsked, Shown, type Asked } from "../ui/asked";
import { Button } from "../ui/button";
import { ask, Dialog } from "../ui/dialog";
import { Field } from "../ui/field";
import { say, sayError } from "../ui/toast";
import { logOut } from "../view/app";
import { blockedBy } from "../view/blocks";
import { fieldErrors, sentence } from "../view/errors";
import type { Model } from "../view/model";
import { notificationsWanted, permission, wantNotifications } from "../view/notify";
import { go } from "../view/place";
import { chooseSingleKeys, showKeys, singleKeys } from "../view/shortcuts";
import { chooseTheme, theme, type Theme } from "../view/theme";
import { personName } from "../view/titles";
import PickImage from "./pick-image";
import { Strength } from "./sign-in";

export default function Settings(props: { model: Model; onClose: () => void }) {
  const leave = async (): Promise<void> => {
    const count = props.model.unsentTotal();
    const lead = t("settings.logout.lead") + (count > 0 ? ` ${t("settings.logout.unsent", { count })}` : "");
    if (!(await ask({ title: t("settings.logout.confirm"), lead, yes: t("settings.logout"), danger: true }))) return;
    go({ is: "list" }, true);
    await logOut();
  };
  const devices = createAsked(async () => (await props.model.http.devices()).sessions);
  return (
    <Dialog title={t("settings.title")} onClose={props.onClose}>
      <div class="stack settings">
        <Profile model={props.model} />
        <Look />
        <Notifications />
        <Keyboard />
        <Devices model={props.model} devices={devices} />
        <Blocked model={props.model} />
        <Password model={props.model} onChanged={() => void devices.load()} />
        <div class="actions">
          <Button look="danger" onClick={() => void leave()}>{t("settings.logout")}</Button>
        </div>
      </div>
    </Dialog>
  );
}

const Profile = (props: { model: Model }) => {
  const me = createAsked(() => props.model.http.me());
  /** What others see is known before, so that nothing moves when the rest has come. */
  const known = () => me.value() ?? props.model.person(props.model.me);
  const [name, setName] = createSignal<string | null>(null);
  const [wrong, setWrong] = createSignal<string | undefined>();
  const learned = (now: Me): void => {
    me.change(() => now);
    props.model.learn([now]);
    say(t("saved"));
  };
  const shown = () => name() ?? known()?.display_name ?? "";
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    setWrong(undefined);
    try {
      learned(await props.model.http.rename(shown().trim()));
      setName(null);
    } catch (error) {
      setWrong(fieldErrors(error)["display_name"] ?? sentence(error));
    }
  };
  const picked = async (image: Blob | null): Promise<boolean> => {
    try {
      learned(await (image === null ? props.model.http.removeImage() : props.model.http.setImage(image)));
      return true;
    } catch (error) {
      sayError(error);
      return false;
    }
  };
  return (
    <section aria-label={t("settings.profile")}>
      <Show when={known()}>
        {(mine) => (
          <form class="stack" onSubmit={(event) => void save(event)}>
            <PickImage id={mine().user_id} name={mine().display_name} current={mine().image_url} onPicked={picked} />
            <p class="profile-line profile-centre">
              @{mine().username}
              <br />
              {me.value()?.email ?? (me.why() || "\u00a0")}
            </p>
            <Field name="display_name" label={t("field.display_name")} value={shown()} onInput={setName} error={wrong()} maxLength={64} capitals="words" hint={t("field.display_name.hint")} />
            <Show when={shown().trim() !== mine().display_name}>
              <div class="dialog-buttons">
                <Button onClick={() => setName(null)}>{t("cancel")}</Button>
                <Button look="main" type="submit">{t("save")}</Button>
              </div>
            </Show>
          </form>
        )}
      </Show>
    </section>
  );
};

const Choice = <T extends string>(props: { label: string; value: T; options: [T, string][]; onChange: (value: T) => void }) => (
  <RadioGroup class="choice" value={props.value} onChange={(value) => props.onChange(value as T)}>
    <RadioGroup.Label class="field-label">{props.label}</RadioGroup.Label>
    <div class="choice-row">
      <For each={props.options}>
        {([value, name]) => (
          <RadioGroup.Item value={value} class="choice-item">
            <RadioGroup.ItemInput class="choice-input" />
            <RadioGroup.ItemLabel class="choice-label">{name}</RadioGroup.ItemLabel>
          </RadioGroup.Item>
        )}
      </For>
    </div>
  </RadioGroup>
);

const Look = () => (
  <section class="stack" aria-label={t("settings.look")}>
    <h3 class="section-title">{t("settings.look")}</h3>
    <Choice<Theme>
      label={t("settings.theme")}
      value={theme()}
      options={[["system", t("settings.theme.system")], ["light", t("settings.theme.light")], ["dark", t("settings.theme.dark")]]}
      onChange={chooseTheme}
    />
    <Choice<Language>
      label={t("settings.language")}
      value={language()}
      options={Object.entries(LANGUAGES) as [Language, string][]}
      onChange={(chosen) => void chooseLanguage(chosen).catch(sayError)}
    />
  </section>
);

const OnOff = (props: { label: string; lead: string; on: boolean; onChange: (on: boolean) => void }) => (
  <Switch class="switch" checked={props.on} onChange={props.onChange}>
    <span class="switch-text">
      <Switch.Label>{props.label}</Switch.Label>
      <Switch.Description class="field-hint">{props.lead}</Switch.Description>
    </span>
    <Switch.Input />
    <Switch.Control class="switch-control">
      <Switch.Thumb class="switch-thumb" />
    </Switch.Control>
  </Switch>
);

const Notifications = () => (
  <section class="stack" aria-label={t("settings.notifications")}>
    <h3 class="section-title">{t("settings.notifications")}</h3>
    <Show
      when={permission() === "default" || permission() === "granted"}
      fallback={<p class="note">{t(permission() === "denied" ? "settings.notifications.denied" : "settings.notifications.unsupported")}</p>}
    >
      <OnOff label={t("settings.notifications.on")} lead={t("settings.notifications.lead")} on={notificationsWanted() && permission() === "granted"} onChange={(on) => void wantNotifications(on)} />
    </Show>
  </section>
);

/** Where there is a keyboard. */
const Keyboard = () => (
  <section class="stack with-keyboard" aria-label={t("keys.title")}>
    <h3 class="section-title">{t("keys.title")}</h3>
    <OnOff label={t("settings.keys.single")} lead={t("settings.keys.single.lead")} on={singleKeys()} onChange={chooseSingleKeys} />
    <Button onClick={showKeys}>{t("settings.keys.show")}</Button>
  </section>
);

const Devices = (props: { model: Model; devices: Asked<Device[]> }) => {
  const revoke = async (session: string): Promise<void> => {
    await props.model.http.revoke(session).catch(sayError);
    await props.devices.load();
  };
  return (
    <section class="stack" aria-label={t("settings.devices")}>
      <h3 class="section-title">{t("settings.devices")}</h3>
      <Shown of={props.devices}>
        {(devices) => (
          <ul class="members">
            <For each={devices()}>
              {(device) => (
                <li class="member">
                  <span class="found-text">
                    <bdi class="found-name">{device.device || t("settings.device.unknown")}</bdi>
                    <span class="found-username">{device.current ? t("settings.device.this") : t("settings.device.used", { ago: ago(device.last_used_at) })}</span>
                  </span>
                  <Show when={!device.current}>
                    <Button look="plain" onClick={() => void revoke(device.session_id)}>{t("settings.device.revoke")}</Button>
                  </Show>
                </li>
              )}
            </For>
          </ul>
        )}
      </Shown>
    </section>
  );
};

const Blocked = (props: { model: Model }) => {
  const blocks = blockedBy(props.model);
  // Others may have been blocked on another device.
  onMount(() => void blocks.all.load());
  return (
    <section class="stack" aria-label={t("settings.blocked")}>
      <h3 class="section-title">{t("settings.blocked")}</h3>
      <Shown of={blocks.all}>
        {(blocked) => (
          <Show when={blocked().size > 0} fallback={<p class="note">{t("settings.blocked.none")}</p>}>
            <ul class="members">
              <For each={[...blocked()]}>
                {(id) => (
                  <li class="member">
                    <bdi class="found-text found-name">{personName(props.model, id)}</bdi>
                    <Button look="plain" onClick={() => void blocks.unblock(id).catch(sayError)}>{t("details.unblock")}</Button>
                  </li>
                )}
              </For>
            </ul>
          </Show>
        )}
      </Shown>
    </section>
  );
};

const Password = (props: { model: Model; onChanged: () => void }) => {
  const [opened, setOpened] = createSignal(false);
  const [old, setOld] = createSignal("");
  const [fresh, setFresh] = createSignal("");
  const [errors, setErrors] = createSignal<Record<string, string>>({});
  const [wrong, setWrong] = createSignal("");
  const close = (): void => {
    setOpened(false);
    setOld("");
    setFresh("");
    setErrors({});
    setWrong("");
  };
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    setErrors({});
    setWrong("");
    try {
      await props.model.http.changePassword(old(), fresh());
      close();
      say(t("settings.password.done"));
      props.onChanged();
    } catch (error) {
      if (error instanceof ApiError && error.code === "not_allowed") setErrors({ old_password: t("error.old_password") });
      else setErrors(fieldErrors(error));
      setWrong(Object.keys(errors()).length === 0 ? sentence(error) : "");
    }
  };
  return (
    <section class="stack" aria-label={t("settings.password")}>
      <h3 class="section-title">{t("settings.password")}</h3>
      <Show when={opened()} fallback={<Button onClick={() => setOpened(true)}>{t("settings.password.change")}</Button>}>
        <form class="stack" ref={(el) => queueMicrotask(() => el.scrollIntoView({ block: "nearest" }))} onSubmit={(event) => void save(event)}>
          <Field name="old_password" label={t("field.old_password")} type="password" autocomplete="current-password" value={old()} onInput={setOld} error={errors()["old_password"]} autofocus />
          <Field name="new_password" label={t("field.new_password")} type="password" autocomplete="new-password" value={fresh()} onInput={setFresh} error={errors()["new_password"]} after={<Strength password={fresh()} />} />
          <Show when={wrong() !== ""}>
            <p class="form-error" role="alert">{wrong()}</p>
          </Show>
          <div class="dialog-buttons">
            <Button onClick={close}>{t("cancel")}</Button>
            <Button look="main" type="submit">{t("save")}</Button>
          </div>
        </form>
      </Show>
    </section>
  );
};
