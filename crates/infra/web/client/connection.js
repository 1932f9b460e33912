// The socket: it comes back by itself, and goes on where it left off.

import { io } from "./vendor/socket.io.esm.min.js";
import { sentence } from "./words.js";

const ANSWER_WITHIN_MS = 10_000;

/** The session is over, or was never there: there is nothing to come back to. */
const FOR_GOOD = new Set(["invalid_token", "token_required", "invalid_auth"]);

export class Connection {
  #socket;
  #handlers;
  #again;
  isOpen = false;

  /**
   * `handlers` are called with what comes in: `session`, `message`, `changed`, `typing`, `error`; and with what becomes of the
   * connection: `lost`, `over`. `where` answers with the log and the last message that is known of it.
   */
  constructor(token, where, handlers) {
    this.#handlers = handlers;
    this.#socket = io({
      auth: (tell) => tell({ token, batch: true, ...where() }),
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 5000,
    });
    this.#socket.on("session", (session) => {
      this.isOpen = true;
      handlers.session(session);
    });
    this.#socket.on("new_message", (message) => handlers.message(message));
    this.#socket.on("users_changed", (change) => handlers.changed(change));
    this.#socket.on("typing", (who) => handlers.typing(who));
    this.#socket.on("error", ({ error }) => handlers.error(sentence(error)));
    this.#socket.on("disconnect", (reason) => this.#ended(reason));
    this.#socket.on("connect_error", (error) => this.#refused(error));
  }

  /** Answers with what the server says: `{id, timestamp}` or `{error, code}`; or with nothing, if no answer came. */
  async say({ content, to, clientId }) {
    try {
      const socket = this.#socket.timeout(ANSWER_WITHIN_MS);
      return await socket.emitWithAck("send_message", { content, to, client_id: clientId });
    } catch {
      return undefined;
    }
  }

  typing(to) {
    if (this.isOpen) this.#socket.volatile.emit("typing", { to });
  }

  /** There is a network again: no need to wait any longer. */
  hurry() {
    if (!this.#socket.connected) this.#socket.disconnect().connect();
  }

  close() {
    clearTimeout(this.#again);
    this.isOpen = false;
    this.#socket.off();
    this.#socket.disconnect();
  }

  #ended(reason) {
    this.isOpen = false;
    if (reason === "io server disconnect") this.#handlers.over();
    else if (reason !== "io client disconnect") this.#handlers.lost();
  }

  /** The client comes back by itself only where the server was not reached. */
  #refused({ message, data }) {
    this.isOpen = false;
    if (FOR_GOOD.has(data?.code)) {
      this.#handlers.over(sentence(message));
      return;
    }
    this.#handlers.lost();
    if (this.#socket.active) return;
    const seconds = (data?.retry_after ?? 1) * (1 + Math.random());
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#socket.connect(), seconds * 1000);
  }
}
