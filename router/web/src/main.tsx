// The app: language and theme first, then the screens.

import { render } from "solid-js/web";
import { startLanguage } from "./i18n";
import { App } from "./screens/app";
import { start } from "./view/app";
import { startNotifications } from "./view/notify";
import { startDays } from "./text/time";
import { startPlaces } from "./view/place";
import { showTheme } from "./view/theme";
import { startWorker } from "./view/worker";
import "./style/base.css";
import "./style/parts.css";
import "./style/list.css";
import "./style/conversation.css";
import "./style/dialogs.css";
import "./style/forced.css";

const root = document.getElementById("app");
if (root === null) throw new Error("the page has no place for the app");

showTheme();
startPlaces();
startDays();
startNotifications();
void startLanguage().then(() => {
  start();
  render(() => <App />, root);
  startWorker();
});
