// Who is online. The document has a hundred of them at most; the others are found by typing.

import { counted } from "../words.js";
import { arrange, avatar, element, find, named, say } from "./dom.js";

const MOST = 100;
const order = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export class PeopleView {
  #list = find("people");
  #find = find("find");
  #self;
  #choose;
  #users = [];
  #elements = new Map();

  constructor(self, choose, signal) {
    this.#self = self;
    this.#choose = choose;
    this.#find.value = "";
    this.#find.addEventListener("input", () => this.#draw(), { signal });
  }

  show(users) {
    this.#users = users.toSorted((one, other) => order.compare(one.pseudonym, other.pseudonym));
    say(find("people-count"), counted(users.length, "person", "people"));
    this.#draw();
  }

  #draw() {
    const wanted = this.#find.value.trim().toLocaleLowerCase();
    const found = this.#users.filter((user) => user.pseudonym.toLocaleLowerCase().includes(wanted));
    const shown = found.slice(0, MOST);
    const elements = new Map(
      shown.map((user) => [user.session, this.#elements.get(user.session) ?? this.#person(user)]),
    );
    this.#elements = elements;
    arrange(this.#list, [...elements.values()]);
    say(find("people-more"), remark(found.length, shown.length, wanted));
  }

  #person(user) {
    const { session, pseudonym } = user;
    if (session === this.#self.session) {
      return element(
        "li",
        { className: "person self" },
        avatar(session, pseudonym),
        named(pseudonym),
        element("span", { className: "soft", textContent: "you" }),
      );
    }
    const hint = element("span", { className: "hint", textContent: "write privately" });
    const button = element("button", { type: "button", onclick: () => this.#choose(session, pseudonym) });
    button.append(avatar(session, pseudonym), named(pseudonym), " ", hint);
    return element("li", { className: "person" }, button);
  }
}

function remark(found, shown, wanted) {
  if (found === 0) return wanted ? "Nobody of that name is online." : "";
  if (found > shown) return `And ${counted(found - shown, "more", "more")}: type a name to find them.`;
  return "";
}
