// Building blocks of the page: nodes, icons, small reactions. Text only ever becomes text nodes.

/**
 * Make an element. `properties` are attributes; `on` maps event names to listeners. Children are
 * nodes or strings.
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function iconButton(name, label, click, className = "icon-button small") {
  const properties = { type: "button", class: className, "aria-label": label, title: label };
  return element("button", { ...properties, on: { click } }, icon(name));
}

export const byId = (id) => document.getElementById(id);

/** Tell users of screen readers what happened. */
export function announce(text) {
  byId("status").textContent = text;
}

/** Copy text; shows a tick on the button. Works on plain http too, where the clipboard API is not. */
export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { class: "hidden-text", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const shown = button.querySelector("svg");
  const tick = icon("check");
  shown.replaceWith(tick);
  announce("Copied");
  setTimeout(() => tick.replaceWith(shown), 1200);
}

/** Ask before something is lost. */
export function confirmed(question, action) {
  const dialog = byId("confirm");
  byId("confirm-text").textContent = question;
  byId("confirm-yes").textContent = action;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
