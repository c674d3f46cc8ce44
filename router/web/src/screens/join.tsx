// The page behind a channel's link: what it is, and one button. Also for who has no account yet.

import { createEffect, createResource, createSignal, Match, Show, Switch, untrack } from "solid-js";
import { t } from "../i18n";
import { ApiError } from "../net/http";
import { safeName } from "../text/names";
import { Waiting } from "../ui/asked";
import { Avatar } from "../ui/avatar";
import { Button } from "../ui/button";
import { Mark } from "../ui/icons";
import { model, stranger } from "../view/app";
import { sentence } from "../view/errors";
import { go, place } from "../view/place";
import { SignIn } from "./sign-in";

export default function Join() {
  const code = () => {
    const at = place();
    return at.is === "join" ? at.code : "";
  };
  const [problem, setProblem] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  /** A stranger said yes: it is done as soon as there is an account. */
  const [wants, setWants] = createSignal(false);
  const [preview, { refetch }] = createResource(code, (asked) => stranger.preview(asked));
  const lost = () => preview.error instanceof ApiError && preview.error.code === "not_found";
  const title = () => safeName(preview.latest?.title ?? "") || t("new.channel");

  const join = async (): Promise<void> => {
    const current = model();
    if (current === null) return void setWants(true);
    if (busy()) return;
    setWants(false);
    setBusy(true);
    setProblem("");
    try {
      const conversation = await current.http.join(code());
      current.listed(conversation);
      go({ is: "conversation", id: conversation.conversation_id, details: false }, true);
    } catch (error) {
      setProblem(error instanceof ApiError && error.code === "not_allowed" ? t("link.removed") : sentence(error));
    } finally {
      setBusy(false);
    }
  };
  createEffect(() => {
    if (wants() && model() !== null) void untrack(join);
  });
  const isMember = () => {
    const id = preview.latest?.conversation_id;
    const kept = id === undefined ? undefined : model()?.conversation(id);
    return kept !== undefined && kept.left === null;
  };
  const name = (size: "l" | "xl") => (
    <>
      <Avatar id={preview.latest?.conversation_id ?? ""} name={title()} image={null} size={size} />
      <h1 class="card-title">
        <bdi>{title()}</bdi>
      </h1>
    </>
  );

  return (
    <Switch>
      {/* First: what has never come, read, would hold back the whole page. */}
      <Match when={preview.loading && preview.error === undefined}>
        <main class="welcome">
          <div class="card card-centre">
            <Mark />
            <Waiting />
          </div>
        </main>
      </Match>
      <Match when={preview.error}>
        <main class="welcome">
          <div class="card card-centre">
            <Mark />
            <h1 class="card-title">{lost() ? t("link.gone") : t("link.title")}</h1>
            <p class="note">{lost() ? t("link.gone.lead") : sentence(preview.error)}</p>
            <Show when={!lost()}>
              <Button look="main" busy={preview.loading} onClick={() => void refetch()}>{t("retry")}</Button>
            </Show>
            <Button onClick={() => go({ is: "list" })}>{t("link.home")}</Button>
          </div>
        </main>
      </Match>
      <Match when={preview.latest !== undefined && model() === null && wants()}>
        <SignIn
          above={
            <>
              {name("l")}
              <p class="note">{t("join.after", { title: title() })}</p>
              <Button look="plain" onClick={() => setWants(false)}>{t("back")}</Button>
            </>
          }
        />
      </Match>
      <Match when={preview.latest !== undefined}>
        <main class="welcome">
          <div class="card card-centre">
            {name("xl")}
            <Show when={preview.latest?.topic}>{(topic) => <p class="profile-topic" dir="auto">{topic()}</p>}</Show>
            <p class="profile-line">{t("chat.members", { count: preview.latest?.member_count ?? 0 })}</p>
            <Show when={problem() !== ""}>
              <p class="form-error" role="alert">{problem()}</p>
            </Show>
            <Show
              when={isMember()}
              fallback={
                <Button look="main" class="button-wide" busy={busy()} onClick={() => void join()}>
                  {t("link.join")}
                </Button>
              }
            >
              <Button look="main" class="button-wide" onClick={() => go({ is: "conversation", id: preview.latest?.conversation_id ?? "", details: false }, true)}>
                {t("link.open")}
              </Button>
            </Show>
            <Show when={model() !== null}>
              <Button look="plain" class="button-wide" onClick={() => go({ is: "list" })}>{t("link.home")}</Button>
            </Show>
          </div>
        </main>
      </Match>
    </Switch>
  );
}
