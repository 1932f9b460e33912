// The conversations that are open, with what has not been read in each.

import { EVERYBODY } from "../timeline.js";
import { counted } from "../words.js";
import { arrange, avatar, element, find, named } from "./dom.js";

export class ConversationsView {
  #list = find("conversations");
  #actions;
  #elements = new Map();

  constructor(actions) {
    this.#actions = actions;
  }

  /** `isOnline` says of a private conversation's key whether its other side is here. */
  show(conversations, isOnline) {
    const elements = new Map();
    for (const conversation of conversations.all) {
      const made = this.#elements.get(conversation.key) ?? this.#make(conversation.key);
      update(made, conversation, conversation.key === conversations.active, isOnline);
      elements.set(conversation.key, made);
    }
    this.#elements = elements;
    arrange(
      this.#list,
      [...elements.values()].map(({ item }) => item),
    );
    drawTotal(conversations.unread);
  }

  #make(key) {
    const select = element("button", {
      type: "button",
      className: "select",
      onclick: () => this.#actions.select(key),
    });
    const item = element("li", { className: key === EVERYBODY ? "everybody" : "private" }, select);
    if (key === EVERYBODY) return { item, select };
    const close = element("button", {
      type: "button",
      className: "close",
      textContent: "×",
      onclick: () => this.#actions.close(key),
    });
    item.append(close);
    return { item, select, close };
  }
}

function update(made, { key, name, unread }, isActive, isOnline) {
  const shows = JSON.stringify([name, unread, isActive, key === EVERYBODY || isOnline(key)]);
  if (made.shows === shows) return;
  made.shows = shows;
  const { select, close } = made;
  select.replaceChildren(icon(key, name), named(name));
  if (key !== EVERYBODY && !isOnline(key))
    select.append(" ", element("span", { className: "soft", textContent: "away" }));
  if (unread > 0) select.append(" ", badge(unread));
  select.toggleAttribute("aria-current", isActive);
  if (isActive) select.setAttribute("aria-current", "true");
  close?.setAttribute("aria-label", `Close the conversation with ${name}`);
}

function icon(key, name) {
  if (key !== EVERYBODY) return avatar(key, name);
  return element("span", {
    className: "avatar all",
    textContent: "#",
    attributes: { "aria-hidden": "true" },
  });
}

function badge(unread) {
  const rest = element("span", { className: "visually-hidden", textContent: " unread" });
  return element("span", { className: "badge", textContent: unread > 99 ? "99+" : String(unread) }, rest);
}

function drawTotal(unread) {
  const total = find("unread-total");
  total.hidden = unread === 0;
  total.replaceChildren(...(unread > 0 ? badge(unread).childNodes : []));
  document.title = unread > 0 ? `(${counted(unread, "unread", "unread")}) Lobby` : "Lobby";
}
