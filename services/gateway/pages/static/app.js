// The live parts of the pages. Without it everything works by links and forms; with it what changes is replaced in place.

const QUIET_MS = 250; // what changes together is fetched together
const SPACE_MS = 1000; // between two fetches
const LONGEST_PAUSE_MS = 30_000;
const SPREAD_MS = 5000; // over which all pages ask that are told at once to ask for everything
const SECRETS_MS = 120_000;
const MOST_AT_ONCE = 3;
const connection = document.querySelector("#connection");
const announcer = document.querySelector("#announcer");
const IN_USE = "dialog[open], [data-touched]";

/** Makes `old` like `fresh`, element by element; what has an id keeps its place in the document and its state. */
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) return void old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) return void (old.nodeValue = fresh.nodeValue);
  if (old.matches("dialog[data-keep], form:focus-within, [data-touched]")) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  const stays = new Set([...fresh.children].map((child) => child.id));
  let place = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    // What is gone goes first: an element that is moved loses its focus, and a dialog in it closes.
    if (known.has(next.id)) while (place && place.id !== next.id && !(place.id && stays.has(place.id))) place = leave(place);
    const same = next.id ? known.get(next.id) : place && !place.id && place.nodeName === next.nodeName ? place : null;
    if (same) {
      if (same === place) place = place.nextSibling;
      else old.insertBefore(same, place);
      morph(same, next);
    } else {
      old.insertBefore(next, place);
      if (next.id) arrived(next);
    }
  }
  while (place) place = leave(place);
}

/** Takes a node out, unless the user is at work in it; the node after it. */
function leave(gone) {
  const next = gone.nextSibling;
  if (!gone.matches?.(IN_USE) && !gone.querySelector?.(IN_USE)) gone.remove();
  return next;
}

const told = []; // what has arrived and is not announced yet

function arrived(element) {
  element.classList.add("arrived");
  told.push(...[element, ...element.querySelectorAll("[data-announce]")].flatMap((each) => each.dataset.announce ?? []));
}

/** Says what has come together in one breath, the newest first: of what is said one after the other, the last alone is heard. */
function announce() {
  const text = told.splice(0).slice(0, MOST_AT_ONCE).join("; ");
  if (text) announcer.textContent = connection.dataset.new.replace("{text}", () => text);
}

/** Replaces the parts of the page that show one of `sections`; all of them without. */
async function refresh(sections) {
  const shows = (part) => !sections || part.dataset.live.split(" ").some((section) => sections.has(section));
  const parts = [...document.querySelectorAll("[data-live]")].filter(shows);
  if (!parts.length) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Refresh": "1" }, credentials: "same-origin" });
  if (answer.redirected && new URL(answer.url).pathname === "/login") return void location.assign(answer.url);
  if (answer.status >= 500) throw new Error(`${answer.status}`);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const each of page.querySelectorAll("noscript")) each.remove(); // parsed here, a refresh in it would be real
  // Where a part has come or gone, the places of all of them are made anew.
  for (const part of names(page) === names(document) ? parts : [document.querySelector("#main"), ...parts]) {
    const fresh = part.id && page.getElementById(part.id);
    if (fresh && part.isConnected) morph(part, document.adoptNode(fresh));
  }
  announce();
  poll();
}

const names = (page) => [...page.querySelectorAll("[data-live]")].map((part) => part.id).join();

/** How long to wait before trying again: longer each time, and not equally long on all the pages that wait. */
const pause = (tries, growth = 2) => Math.min(SPACE_MS * growth ** tries, LONGEST_PAUSE_MS) * (0.7 + Math.random() * 0.6);

const changed = new Set();
let waiting = 0;
let busy = false;
let failures = 0;
let fetched = -SPACE_MS;

function changes(section) {
  changed.add(section);
  waiting ||= setTimeout(work, Math.max(QUIET_MS, fetched + SPACE_MS - performance.now()));
}

/** Everything may have changed; no use to wait any longer. */
function everything() {
  failures = 0;
  clearTimeout(waiting);
  waiting = 0;
  changes("*");
}

async function work() {
  clearTimeout(waiting);
  waiting = 0;
  if (busy || document.hidden || !changed.size) return;
  busy = true;
  const sections = changed.has("*") ? null : new Set(changed);
  changed.clear();
  try {
    await refresh(sections);
    failures = 0;
  } catch {
    sections ? sections.forEach((section) => changed.add(section)) : changed.add("*");
    failures += 1;
  } finally {
    busy = false;
    fetched = performance.now();
  }
  if (changed.size) waiting ||= setTimeout(work, failures ? pause(failures) : SPACE_MS);
}

// Where to listen, and from where on: what was told before is not told again, and what comes meanwhile is not missed.
const stream = document.body.dataset.stream && new URL(document.body.dataset.stream, location);
let source = null;
let listening = 0;
let tries = 0;
let isBack = false;

/** Listens while the page is seen: a browser has few connections for a site, and each of its pages would take one. */
function listen() {
  clearTimeout(listening);
  if (!stream || source || document.hidden) return;
  source = new EventSource(stream);
  source.addEventListener("open", () => {
    tell(navigator.onLine ? null : "offline");
    tries = 0;
  });
  source.addEventListener("section", (event) => {
    changes(JSON.parse(event.data).section);
    stream.searchParams.set("last_event_id", event.lastEventId);
  });
  source.addEventListener("reset", (event) => {
    setTimeout(everything, isBack ? Math.random() * SPREAD_MS : 0);
    stream.searchParams.set("last_event_id", event.lastEventId);
  });
  source.addEventListener("error", () => {
    tell(navigator.onLine ? "away" : "offline");
    isBack = true;
    if (source?.readyState !== EventSource.CLOSED) return; // the browser itself tries again
    stop();
    changes("*"); // leads to the login, where it is the session that has ended
    listening = setTimeout(listen, pause(tries++));
  });
}

function show() {
  isBack = false;
  listen();
  work();
}

function stop() {
  clearTimeout(listening);
  source?.close();
  source = null;
}

let telling = 0;
function tell(name) {
  clearTimeout(telling);
  if (!connection) return;
  if (!name) return void (connection.hidden = true);
  telling = setTimeout(() => {
    connection.textContent = connection.dataset[name];
    connection.hidden = false;
  }, name === "offline" ? 0 : 4000); // a short break is nobody's concern
}

let polling = 0;
let polls = 0;
/** Asks, less and less often, for what is being worked out and for what does not answer: nobody tells when it does. */
function poll() {
  clearTimeout(polling);
  const sections = [...document.querySelectorAll("[data-poll]")].flatMap((each) => each.closest("[data-live]")?.dataset.live.split(" ") ?? []);
  if (!sections.length) return void (polls = 0);
  polling = setTimeout(() => sections.forEach(changes), pause(polls++, 1.3));
}

/** Keeps "3 minutes ago" true. */
function tick() {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { style: "long" });
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
    const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units.at(-1);
    const text = format.format(Math.trunc(seconds / size), unit);
    if (time.textContent !== text) time.textContent = text;
  }
}

// Older browsers know no buttons that command a dialog.
if (!("command" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (button?.getAttribute("command") === "show-modal") dialog?.showModal();
    else if (button) dialog?.close();
  });
}

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.getAttribute("aria-busy") === "true") event.preventDefault(); // twice is once
  else button?.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => document.querySelectorAll("[aria-busy]").forEach((b) => b.removeAttribute("aria-busy")));
document.addEventListener("input", (event) => event.target.closest("form[method=post]")?.setAttribute("data-touched", ""));
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  announcer.textContent = button.dataset.done;
});
// Secrets leave the page, and the browser's memory of it, by themselves.
const secrets = document.querySelector("[data-hides]");
if (secrets) {
  const hide = () => location.replace(secrets.dataset.hides);
  setTimeout(hide, SECRETS_MS);
  addEventListener("pageshow", (event) => event.persisted && hide());
}
document.addEventListener("change", (event) => event.target.closest("form[data-submits]")?.requestSubmit());
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : show()));
addEventListener("pagehide", stop);
addEventListener("pageshow", listen);
addEventListener("online", () => (tell(null), listen(), everything()));
addEventListener("offline", () => tell("offline"));

// Whoever wants it sees a new notification on the page that is open, by the number at the bell.
const toasts = document.querySelector("#toasts");
const bell = document.querySelector("#bell");

/** Shows the newest `count` notifications that are unread, but for those that the page shows anyway. */
async function toast(count) {
  const answer = await fetch(toasts.dataset.from, { headers: { Accept: "text/html", "X-Refresh": "1" }, credentials: "same-origin" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const newest = [...page.querySelectorAll("#notification-items > li")].slice(0, count);
  for (const item of newest.filter((each) => !document.getElementById(each.id)).reverse()) {
    const shown = document.querySelector("#toast").content.firstElementChild.cloneNode(true);
    const [link, said] = [shown.querySelector("a"), item.querySelector("a")];
    link.textContent = said.textContent;
    link.href = said.getAttribute("href");
    shown.querySelector("button .hidden").textContent += `: ${said.textContent}`;
    shown.querySelector("button").addEventListener("click", () => {
      shown.remove();
      (toasts.querySelector("button") ?? bell).focus();
    });
    toasts.prepend(shown);
  }
  while (toasts.children.length > MOST_AT_ONCE) toasts.lastElementChild.remove();
}

if (toasts) {
  let unread = Number(bell.dataset.unread);
  new MutationObserver(() => {
    const more = Number(bell.dataset.unread) - unread;
    unread += more;
    if (more > 0) toast(Math.min(more, MOST_AT_ONCE)).catch(() => {}); // the bell counts it in any case
  }).observe(bell, { attributeFilter: ["data-unread"] });
}

const said = document.querySelector("[data-said]");
if (said) {
  const url = new URL(location.href);
  url.searchParams.delete("said"); // so that a reload does not say it again
  history.replaceState(history.state, "", url);
}
listen();
setInterval(tick, 30_000);
poll();
