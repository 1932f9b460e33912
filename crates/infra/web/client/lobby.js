// The lobby as one session sees it: what comes in goes into the state, and what the state has become is drawn once a frame.

import * as api from "./api.js";
import { Connection } from "./connection.js";
import { Conversations } from "./conversations.js";
import * as keep from "./keep.js";
import { newClientId, Outbox } from "./outbox.js";
import { Roster } from "./roster.js";
import { EVERYBODY, Timeline } from "./timeline.js";
import { Telling, Typing } from "./typing.js";
import { LobbyView } from "./view/lobby.js";
import { comings, counted } from "./words.js";

/** Refusals that pass: the same post is sent again. */
const PASSING = new Set(["busy", "unavailable", "outcome_unknown", "rate_limited", "overloaded"]);
const AGAIN_MS = 1000;
const AGAIN_MOST_MS = 30_000;
/** The codes that say that a token proves nothing any more. */
const OVER = new Set(["invalid_token", "token_required"]);

export class Lobby {
  #self;
  #ended;
  #roster = new Roster();
  #conversations = new Conversations();
  #typing = new Typing();
  #telling = new Telling();
  #timeline;
  #outbox;
  #log;
  #state = "connecting";
  #connection;
  #view;
  #history = { isLoading: false, trouble: undefined };
  // Counts how often the timeline has begun anew: what was asked for before is of no use after.
  #era = 0;
  // The same of the list of who is online.
  #listed = 0;
  #waits = 0;
  #timer;
  #isLeaving = false;

  /** `self` is `{token, session, pseudonym}`; `ended` is called once, with a sentence that says why. */
  constructor(self, ended) {
    this.#self = self;
    this.#ended = ended;
    this.#timeline = new Timeline(self.session);
    this.#outbox = new Outbox(keep.outbox.read(self.session), (posts) =>
      keep.outbox.write(self.session, posts),
    );
    for (const { to, name } of this.#outbox.posts) if (to !== undefined) this.#conversations.open(to, name);
    this.#view = new LobbyView(self, this.#actions(), () => this.#picture());
    this.#connection = new Connection(self.token, () => this.#where(), {
      session: (session) => this.#entered(session),
      message: (message) => this.#heard(message),
      changed: (change) => this.#changed(change),
      typing: (who) => this.#heardTyping(who),
      error: (reason) => this.#view.notice(reason),
      lost: () => this.#lost(),
      over: (reason) => this.#over(reason ?? "Your session is over. Log in again to go on."),
    });
    this.#view.drawNow();
  }

  /** Another tab has ended the session. */
  leave(reason) {
    this.#over(reason);
  }

  #where() {
    if (this.#log === undefined) return {};
    return { log: this.#log, after: this.#timeline.position };
  }

  #picture() {
    const { active } = this.#conversations;
    return {
      state: this.#state,
      users: this.#roster.users,
      conversations: this.#conversations,
      isOnline: (session) => this.#roster.has(session),
      typing: this.#typing.names(active, performance.now()),
      messages: {
        key: active,
        entries: this.#timeline.entries(active),
        posts: this.#outbox.posts.filter(({ to }) => (to ?? EVERYBODY) === active),
        hasEarlier: this.#timeline.hasEarlier,
        ...this.#history,
      },
    };
  }

  #actions() {
    return {
      send: (text) => this.#write(text),
      typing: () => this.#tellTyping(),
      select: (key) => this.#select(key),
      choose: (session, name) => this.#choose(session, name),
      close: (key) => this.#close(key),
      read: () => this.#read(),
      earlier: () => this.#loadEarlier(),
      retry: (clientId) => this.#retry(clientId),
      discard: (clientId) => this.#discard(clientId),
      logOut: () => this.#logOut(),
      hurry: () => this.#connection.hurry(),
    };
  }

  // What comes in.

  #entered(session) {
    const { log, last_id: lastId, recovered } = session;
    const isAnew = !recovered;
    if (isAnew && this.#log !== undefined) {
      this.#view.notice("Some of what was said meanwhile is not kept any more. This is what is still there.");
    }
    const wasKnown = this.#log !== undefined;
    this.#log = log;
    if (isAnew) this.#begin(lastId);
    this.#came(this.#roster.reset(session), wasKnown);
    this.#listed += 1;
    this.#state = "connected";
    this.#waits = 0;
    this.#history.trouble = undefined;
    if (!this.#roster.isComplete) this.#fillRoster();
    if (this.#timeline.size === 0 && this.#timeline.hasEarlier) this.#loadEarlier();
    this.#flush();
    this.#view.draw("people");
  }

  #begin(lastId) {
    this.#era += 1;
    this.#history.isLoading = false;
    this.#timeline.reset(lastId);
  }

  #heard(message) {
    const isNew = this.#timeline.arrive(message);
    this.#typing.forget(message.sender_session);
    if (message.client_id !== undefined && this.#isOwn(message)) this.#outbox.settle(message.client_id);
    if (isNew) this.#received(message);
    if (this.#view.follows) this.#timeline.trim();
    this.#view.draw();
  }

  #received(message) {
    const key = this.#timeline.keyOf(message);
    if (key !== EVERYBODY) this.#conversations.open(key, this.#nameOf(message));
    if (this.#isOwn(message)) return;
    if (!this.#isInSight(key)) this.#conversations.hear(key);
    const kind = key === EVERYBODY ? "" : " privately";
    this.#view.announce(`${message.sender}${kind}: ${message.content}`);
  }

  #changed(change) {
    this.#came(this.#roster.change(change), true);
    for (const { session } of change.left) this.#typing.forget(session);
    this.#view.draw("people");
  }

  #came(change, isTold) {
    const isOther = (user) => user.session !== this.#self.session;
    const others = { joined: change.joined.filter(isOther), left: change.left.filter(isOther) };
    if (!isTold || others.joined.length + others.left.length === 0) return;
    this.#timeline.note(others, new Date());
    const names = (users) => users.map((user) => user.pseudonym);
    this.#view.announce(`${comings({ joined: names(others.joined), left: names(others.left) })}.`);
  }

  #heardTyping({ session, pseudonym, to }) {
    this.#typing.hear(to === undefined ? EVERYBODY : session, session, pseudonym, performance.now());
    this.#view.draw();
  }

  #lost() {
    this.#typing = new Typing();
    this.#state = this.#log === undefined ? "connecting" : "reconnecting";
    this.#view.draw();
  }

  // What is asked for.

  async #loadEarlier() {
    if (this.#history.isLoading || !this.#timeline.hasEarlier) return;
    const era = this.#era;
    this.#history = { isLoading: true, trouble: undefined };
    this.#view.draw();
    try {
      const { messages, has_more: hasMore } = await api.earlier(this.#self.token, this.#timeline.oldest);
      if (era !== this.#era) return;
      this.#timeline.addEarlier(messages, hasMore);
      for (const message of messages) this.#found(message);
    } catch (error) {
      if (era !== this.#era) return;
      if (OVER.has(error.code)) return this.#over(error.message);
      this.#history.trouble = `Earlier messages could not be loaded. ${error.message}`;
    }
    this.#history.isLoading = false;
    this.#view.draw();
  }

  #found(message) {
    const key = this.#timeline.keyOf(message);
    if (key !== EVERYBODY) this.#conversations.find(key, this.#nameOf(message));
    if (message.client_id !== undefined && this.#isOwn(message)) this.#outbox.settle(message.client_id);
  }

  async #fillRoster() {
    const list = this.#listed;
    try {
      for await (const { users, revision } of api.everybody(this.#self.token)) {
        if (list !== this.#listed) return;
        this.#roster.fill(users, revision);
        this.#view.draw("people");
      }
      if (list === this.#listed) this.#roster.filled();
    } catch (error) {
      if (!this.#ended) return;
      this.#view.notice(`Not everybody who is online could be listed. ${error.message}`);
    }
  }

  // What is done here.

  #write(content) {
    const to = this.#conversations.active === EVERYBODY ? undefined : this.#conversations.active;
    this.#outbox.add({ clientId: newClientId(), content, to, name: this.#conversations.current.name });
    this.#telling.sent(this.#conversations.active);
    this.#view.toEnd();
    this.#flush();
  }

  /** Sends what waits, one after the other, for as long as it gets answers. */
  async #flush() {
    clearTimeout(this.#timer);
    if (!this.#connection?.isOpen) return;
    const post = this.#outbox.take();
    if (!post) return;
    this.#view.draw();
    const answer = await this.#connection.say(post);
    if (!this.#ended) return;
    if (answer?.id !== undefined) this.#stored(post, answer);
    else if (answer === undefined || PASSING.has(answer.code)) return this.#later(post, answer);
    else this.#outbox.refuse(post.clientId, inWords(answer.error, post));
    this.#waits = 0;
    this.#view.draw();
    this.#flush();
  }

  /** It is known by its id from now on, whichever comes first: this answer, or the message as everybody sees it. */
  #stored(post, { id, timestamp }) {
    if (!this.#outbox.settle(post.clientId)) return;
    const { session, pseudonym } = this.#self;
    const message = {
      id,
      timestamp,
      content: post.content.trim(),
      sender: pseudonym,
      sender_session: session,
    };
    if (post.to !== undefined) Object.assign(message, { to: post.name, to_session: post.to });
    this.#timeline.add(message);
  }

  #later(post, answer) {
    this.#outbox.putBack(post.clientId);
    const least = (answer?.retry_after ?? 0) * 1000;
    const wait = Math.min(Math.max(least, AGAIN_MS * 2 ** this.#waits), AGAIN_MOST_MS);
    this.#waits += 1;
    this.#timer = setTimeout(() => this.#flush(), wait * (1 + Math.random() / 4));
    this.#view.draw();
  }

  #retry(clientId) {
    this.#outbox.putBack(clientId);
    this.#flush();
    this.#view.draw();
  }

  #discard(clientId) {
    this.#outbox.settle(clientId);
    this.#view.draw();
  }

  #tellTyping() {
    const key = this.#conversations.active;
    if (this.#telling.isDue(key, performance.now()))
      this.#connection.typing(key === EVERYBODY ? undefined : key);
  }

  #choose(session, name) {
    this.#conversations.open(session, name);
    this.#select(session);
  }

  #select(key) {
    this.#conversations.select(key);
    this.#view.turn();
  }

  #close(key) {
    this.#conversations.close(key);
    this.#view.turn();
  }

  #read() {
    if (document.hidden) return;
    this.#conversations.read();
    this.#view.draw();
  }

  async #logOut() {
    try {
      this.#isLeaving = true;
      await api.logOut(this.#self);
      this.#end("");
    } catch (error) {
      this.#isLeaving = false;
      if (OVER.has(error.code) || error.code === "not_connected") this.#end("");
      else this.#view.notice(`You are not logged out. ${error.message}`);
    }
  }

  /** Whether a message of this conversation is seen at once. */
  #isInSight(key) {
    return key === this.#conversations.active && !document.hidden && this.#view.follows;
  }

  #isOwn(message) {
    return message.sender_session === this.#self.session;
  }

  #nameOf(message) {
    return this.#isOwn(message) ? message.to : message.sender;
  }

  /** The session is, without having been asked to; unless that was only told before the answer. */
  #over(reason) {
    const unsent = this.#outbox.posts.length;
    const loss = unsent > 0 ? ` ${counted(unsent, "message was", "messages were")} not sent.` : "";
    this.#end(this.#isLeaving ? "" : reason + loss);
  }

  /** Ends the view, with a sentence for whoever wonders why. */
  #end(reason) {
    if (!this.#ended) return;
    clearTimeout(this.#timer);
    this.#connection.close();
    this.#view.close();
    this.#era += 1;
    this.#listed += 1;
    keep.outbox.write(this.#self.session, []);
    const ended = this.#ended;
    this.#ended = undefined;
    ended(reason);
  }
}

/** The server calls whom a post is for by their session, as the post does; people call them by their name. */
function inWords(reason, { to, name }) {
  return to === undefined ? reason : reason.replaceAll(to, name);
}
