// Chats in the browser's storage, newest first. A chat: {id, title, updated, messages}; a message:
// {role, content} and, of the assistant, {reasoning, thinkingSeconds, stats, notice, error, model}.

const KEY = "pyinfer.chats";
const LIMIT = 200;

export function allChats() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((chat) => Array.isArray(chat?.messages)) : [];
  } catch {
    return [];
  }
}

/** Write the list; where the storage is full the oldest chats go, where it is closed nothing stays. */
function write(chats) {
  for (let keep = Math.min(chats.length, LIMIT); keep >= 0; keep = Math.floor(keep * 0.8)) {
    try {
      localStorage.setItem(KEY, JSON.stringify(chats.slice(0, keep)));
      return;
    } catch {
      if (keep === 0) return;
    }
  }
}

export function newChat() {
  const id = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("");
  return { id, title: "", updated: Date.now(), messages: [] };
}

/** Store one chat; other tabs may have changed the others meanwhile. */
export function saveChat(chat) {
  if (!chat.messages.length) return;
  chat.title ||= titleOf(chat);
  chat.updated = Date.now();
  write([chat, ...allChats().filter((other) => other.id !== chat.id)]);
}

export function deleteChat(id) {
  write(allChats().filter((chat) => chat.id !== id));
}

export function deleteAllChats() {
  write([]);
}

function titleOf(chat) {
  const first = chat.messages.find((message) => message.role === "user")?.content ?? "";
  const line = first.trim().split("\n")[0];
  return line.length > 60 ? `${line.slice(0, 58).trimEnd()}…` : line;
}

/** "Today", "Yesterday", "Last 7 days" or "Older", for the headings of the list. */
export function ageOf(chat, now = new Date()) {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const day = 86_400_000;
  if (chat.updated >= midnight) return "Today";
  if (chat.updated >= midnight - day) return "Yesterday";
  return chat.updated >= midnight - 7 * day ? "Last 7 days" : "Older";
}
