// Where one says one's name.

import { logIn, Refusal } from "../api.js";
import { counted } from "../words.js";
import { find, say } from "./dom.js";

export class Login {
  #form = find("login-form");
  #name = find("pseudonym");
  #entered;

  /** `entered` is given `{token, session, pseudonym}`. */
  constructor(entered) {
    this.#entered = entered;
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    this.#name.addEventListener("input", () => this.#complain(""));
  }

  /** `why` is a sentence, for whoever did not come here by themselves. */
  show(why = "", name = "") {
    this.#name.value = name;
    this.#complain("");
    say(find("login-notice"), why);
    this.#name.focus();
  }

  async #submitted(event) {
    event.preventDefault();
    const button = find("enter");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    this.#complain("");
    try {
      const { token, session, pseudonym } = await logIn(this.#name.value);
      this.#entered({ token, session, pseudonym });
    } catch (error) {
      this.#complain(reason(error));
      this.#name.focus();
    } finally {
      button.setAttribute("aria-disabled", "false");
    }
  }

  #complain(sentence) {
    say(find("login-error"), sentence);
    this.#name.setAttribute("aria-invalid", String(sentence !== ""));
  }
}

function reason(error) {
  if (!(error instanceof Refusal) || error.retryAfter === undefined) return error.message;
  return `${error.message} Try again in ${counted(error.retryAfter, "second", "seconds")}.`;
}
