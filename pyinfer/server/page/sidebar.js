// The list of earlier chats, a drawer on narrow screens.

import { ageOf, allChats, deleteAllChats, deleteChat } from "./chats.js";
import { byId, confirmed, element, iconButton } from "./dom.js";
import { change, settings } from "./settings.js";

const narrow = matchMedia("(max-width: 820px)");

/** Connect the sidebar; `open(chat)` shows a chat, `open(null)` starts a new one. */
export function connectSidebar(open, currentId) {
  const start = () => {
    closeDrawer();
    open(null);
  };
  byId("new-chat").addEventListener("click", start);
  byId("bar-new-chat").addEventListener("click", start);
  byId("toggle-sidebar").addEventListener("click", () => setOpen(!isOpen()));
  byId("scrim").addEventListener("click", closeDrawer);
  byId("sidebar").addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeDrawer();
  });
  byId("clear-chats").addEventListener("click", async () => {
    if (!(await confirmed("Delete all chats of this page from this browser?", "Delete all"))) return;
    deleteAllChats();
    start();
  });
  narrow.addEventListener("change", () => setOpen(!narrow.matches && settings.sidebar !== false, false));
  addEventListener("storage", (event) => {
    if (event.key === "pyinfer.chats") showChats(open, currentId);
  });
  setOpen(!narrow.matches && settings.sidebar !== false, false);
  showChats(open, currentId);
}

const isOpen = () => document.body.classList.contains("with-sidebar");

function setOpen(open, chosen = true) {
  document.body.classList.toggle("with-sidebar", open);
  byId("toggle-sidebar").setAttribute("aria-expanded", String(open));
  byId("scrim").hidden = !(open && narrow.matches);
  if (chosen && !narrow.matches) change({ sidebar: open });
  if (chosen && open && narrow.matches) byId("new-chat").focus();
}

function closeDrawer() {
  if (narrow.matches && isOpen()) setOpen(false);
}

/** Draw the list anew. */
export function showChats(open, currentId) {
  const chats = allChats();
  const nodes = [];
  let heading = "";
  for (const chat of chats) {
    const age = ageOf(chat);
    if (age !== heading) nodes.push(element("h2", {}, (heading = age)));
    nodes.push(chatRow(chat, open, currentId));
  }
  byId("chat-list").replaceChildren(...nodes);
  byId("clear-chats").hidden = chats.length === 0;
}

function chatRow(chat, open, currentId) {
  const current = chat.id === currentId() && "true";
  const show = () => {
    closeDrawer();
    open(chat.id);
  };
  const properties = { type: "button", class: "chat-title", "aria-current": current, title: chat.title };
  const remove = () => {
    deleteChat(chat.id);
    if (current) open(null);
    else showChats(open, currentId);
  };
  return element("div", { class: "chat-row" },
    element("button", { ...properties, on: { click: show } }, chat.title || "Chat"),
    iconButton("bin", `Delete chat: ${chat.title}`, remove));
}
