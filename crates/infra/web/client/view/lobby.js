// All that is on the screen of whoever is logged in. It is drawn once a frame, however much has come in.

import { EVERYBODY } from "../timeline.js";
import { typing } from "../words.js";
import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { ConversationsView } from "./conversations.js";
import { find, named, say } from "./dom.js";
import { MessagesView } from "./messages.js";
import { Panel } from "./panel.js";
import { PeopleView } from "./people.js";
import { Status } from "./status.js";

/** In a tab that nobody sees there are no frames. */
const HIDDEN_MS = 250;
/** How often it is looked whether somebody has stopped typing. */
const LOOK_MS = 1000;

export class LobbyView {
  #abort = new AbortController();
  #picture;
  #announcer = new Announcer();
  #status = new Status(this.#announcer);
  #messages;
  #people;
  #conversations;
  #composer;
  #panel;
  #isDue = false;
  #peopleAreDue = true;
  #ticking;

  /** `picture` answers with what is to be shown; `actions` are what people can do. */
  constructor(self, actions, picture) {
    const { signal } = this.#abort;
    this.#picture = picture;
    this.#panel = new Panel(signal);
    this.#messages = new MessagesView(self, actions, signal);
    this.#people = new PeopleView(self, actions.choose, signal);
    this.#conversations = new ConversationsView(actions);
    this.#composer = new Composer(actions, signal);
    find("log-out").addEventListener("click", () => actions.logOut(), { signal });
    document.addEventListener("visibilitychange", () => this.#turned(actions), { signal });
    window.addEventListener("online", () => actions.hurry(), { signal });
    find("me").replaceChildren(named(self.pseudonym));
    this.#ticking = setInterval(() => this.#drawTyping(this.#picture()), LOOK_MS);
  }

  get follows() {
    return this.#messages.follows;
  }

  /** Soon; `people` where that has changed who is online. */
  draw(what) {
    if (what === "people") this.#peopleAreDue = true;
    if (this.#isDue || this.#abort.signal.aborted) return;
    this.#isDue = true;
    if (document.hidden) setTimeout(() => this.#draw(), HIDDEN_MS);
    else requestAnimationFrame(() => this.#draw());
  }

  /** What was to be drawn in a frame would not be, and the title tells what is unread. */
  #turned(actions) {
    if (document.hidden && this.#isDue) this.#draw();
    if (!document.hidden && this.#messages.follows) actions.read();
  }

  drawNow() {
    this.#draw();
  }

  announce(text) {
    this.#announcer.announce(text);
  }

  notice(sentence) {
    this.#status.notice(sentence);
  }

  /** Whoever says something wants to see it. */
  toEnd() {
    this.#messages.toEnd();
    this.draw();
  }

  /**
   * Another conversation, to go on in: drawn at once, so that what is typed next is written there. On a touch screen the focus
   * goes to no place to write in, which would bring up the keyboard.
   */
  turn() {
    this.#panel.close();
    this.#draw();
    if (matchMedia("(pointer: coarse)").matches) find("conversation-title").focus();
    else this.#composer.focus();
  }

  close() {
    this.#abort.abort();
    clearInterval(this.#ticking);
    this.#announcer.stop();
    this.#status.stop();
    this.#panel.close();
    for (const id of ["messages", "people", "conversations", "me"]) find(id).replaceChildren();
    find("message").value = "";
    document.title = "Lobby";
  }

  #draw() {
    this.#isDue = false;
    if (this.#abort.signal.aborted) return;
    const picture = this.#picture();
    const { conversations, isOnline } = picture;
    this.#status.show(picture.state);
    if (this.#peopleAreDue) this.#people.show(picture.users);
    this.#peopleAreDue = false;
    this.#conversations.show(conversations, isOnline);
    this.#drawHead(conversations.current, isOnline);
    this.#composer.show(conversations.current);
    this.#messages.show({ ...picture.messages, nothing: nothingOf(conversations.current) });
    this.#drawTyping(picture);
  }

  #drawHead({ key, name }, isOnline) {
    find("conversation").dataset.kind = key === EVERYBODY ? "everybody" : "private";
    const title = find("conversation-title");
    if (title.textContent !== name) title.replaceChildren(named(name));
    say(find("conversation-hint"), hintOf(key, isOnline));
  }

  #drawTyping(picture) {
    say(find("typing"), typing(picture.typing));
  }
}

function hintOf(key, isOnline) {
  if (key === EVERYBODY) return "All who are online read this.";
  if (isOnline(key)) return "Only the two of you read this.";
  return "Away: nothing you write here can be delivered until they are back.";
}

function nothingOf({ key, name }) {
  if (key === EVERYBODY) return "Nothing has been said yet. Say hello!";
  return `Nothing between you and ${name} yet. What you write here, nobody else reads.`;
}
