// Which screen: to log in, a link's page, or one's conversations.

import { lazy, Match, Show, Suspense, Switch } from "solid-js";
import { Questions } from "../ui/dialog";
import { Toasts } from "../ui/toast";
import { model } from "../view/app";
import { place } from "../view/place";
import { Home } from "./home";
import { SignIn } from "./sign-in";

const Join = lazy(() => import("./join"));

export const App = () => (
  <>
    <Suspense>
      <Switch>
        <Match when={place().is === "join"}>
          <Join />
        </Match>
        <Match when={model() === null}>
          <SignIn />
        </Match>
        <Match when={model()}>
          {(current) => (
            <Show when={current()} keyed>
              {(m) => <Home model={m} />}
            </Show>
          )}
        </Match>
      </Switch>
    </Suspense>
    <Questions />
    <Toasts />
  </>
);
