// What the reader chose: theme, model, sampling, system message. Kept in the browser; the API key
// only until the tab is closed.

import { byId } from "./dom.js";

const KEY = "pyinfer.settings";
const KEY_OF_SERVER = "pyinfer.key";
const START = { theme: "system", model: "", think: true, system: "", openReasoning: false };
// Field of the form -> name in the settings and in the request.
const NUMBERS = {
  temperature: "temperature", "top-p": "top_p", "max-tokens": "max_tokens", seed: "seed",
};

export const settings = { ...START, ...stored() };

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

export function change(values) {
  Object.assign(settings, values);
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Storage is closed or full: the choice holds until the page is left.
  }
}

let key = null;

export function apiKey() {
  try {
    return key ?? sessionStorage.getItem(KEY_OF_SERVER);
  } catch {
    return key;
  }
}

export function setApiKey(value) {
  key = value.trim();
  byId("stored-key").value = key;
  try {
    sessionStorage.setItem(KEY_OF_SERVER, key);
  } catch {
    // Kept in memory then.
  }
}

/** Sampling fields of a request: only those that were set. */
export function sampling() {
  const names = Object.values(NUMBERS).filter((name) => typeof settings[name] === "number");
  return Object.fromEntries(names.map((name) => [name, settings[name]]));
}

/** Connect the dialog. */
export function connectSettings() {
  const dialog = byId("settings");
  byId("open-settings").addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside the form
  });
  for (const [id, name] of Object.entries(NUMBERS)) {
    const input = byId(id);
    input.value = settings[name] ?? "";
    input.addEventListener("input", () => {
      const valid = input.validity.valid && input.value !== "";
      input.setAttribute("aria-invalid", String(!input.validity.valid));
      change({ [name]: valid ? Number(input.value) : undefined });
      showChanged();
    });
  }
  byId("reset-sampling").addEventListener("click", () => {
    for (const [id, name] of Object.entries(NUMBERS)) {
      byId(id).value = "";
      byId(id).removeAttribute("aria-invalid");
      change({ [name]: undefined });
    }
    showChanged();
  });
  const system = byId("system");
  system.value = settings.system;
  system.addEventListener("input", () => {
    change({ system: system.value });
    showChanged();
  });
  const unfolded = byId("open-reasoning");
  unfolded.checked = settings.openReasoning;
  unfolded.addEventListener("change", () => change({ openReasoning: unfolded.checked }));
  const stored = byId("stored-key");
  stored.value = apiKey() ?? "";
  stored.addEventListener("change", () => setApiKey(stored.value));
  // The form is no request: Enter closes it.
  dialog.querySelector("form").addEventListener("submit", () => dialog.close());
  connectTheme();
  connectThinking();
  showChanged();
}

/** A dot on the button while something differs from the model's own. */
function showChanged() {
  const changed = Object.keys(sampling()).length > 0 || settings.system.trim() !== "";
  byId("open-settings").classList.toggle("dotted", changed);
  byId("open-settings").setAttribute("aria-label", changed ? "Settings (changed)" : "Settings");
}

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function connectTheme() {
  byId("theme").addEventListener("change", (event) => choose(event.target.value));
  byId("toggle-theme").addEventListener("click", () => choose(isDark() ? "light" : "dark"));
  systemIsDark.addEventListener("change", showTheme);
  showTheme();
}

const isDark = () =>
  settings.theme === "dark" || (settings.theme !== "light" && systemIsDark.matches);

function choose(theme) {
  change({ theme });
  showTheme();
}

function showTheme() {
  if (settings.theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = settings.theme;
  byId("theme").value = settings.theme;
  byId("toggle-theme").setAttribute("aria-pressed", String(isDark()));
}

function connectThinking() {
  const button = byId("toggle-think");
  const show = () => button.setAttribute("aria-pressed", String(settings.think));
  button.addEventListener("click", () => {
    change({ think: !settings.think });
    show();
  });
  show();
}
