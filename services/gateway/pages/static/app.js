// The live parts of the pages. Without it everything works by links and forms; with it what changes is replaced in place.

const QUIET_MS = 250; // what changes together is fetched together
const POLL_MS = 1000;
const SECRETS_MS = 120_000;
const connection = document.querySelector("#connection");
const announcer = document.querySelector("#announcer");

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
  let place = old.firstChild;
  for (const next of [...fresh.childNodes]) {
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
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

function arrived(element) {
  element.classList.add("arrived");
  const text = (element.dataset.announce ? element : element.querySelector("[data-announce]"))?.dataset.announce;
  if (text) announcer.textContent = connection.dataset.new.replace("{text}", text);
}

/** Replaces the parts of the page that show one of `sections`; all of them without. */
async function refresh(sections) {
  const shows = (part) => !sections || part.dataset.live.split(" ").some((section) => sections.has(section));
  const parts = [...document.querySelectorAll("[data-live]")].filter(shows);
  if (!parts.length) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Refresh": "1" }, credentials: "same-origin" });
  if (answer.redirected && new URL(answer.url).pathname === "/login") return void location.assign(answer.url);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const each of page.querySelectorAll("noscript")) each.remove(); // parsed here, a refresh in it would be real
  for (const part of parts) {
    const fresh = part.id && page.getElementById(part.id);
    if (fresh && part.isConnected) morph(part, document.adoptNode(fresh));
  }
  poll();
}

const changed = new Set();
let waiting = 0;
let busy = false;

function changes(section) {
  changed.add(section);
  clearTimeout(waiting);
  waiting = setTimeout(work, QUIET_MS);
}

async function work() {
  if (busy || document.hidden || !changed.size) return;
  busy = true;
  const sections = changed.has("*") ? null : new Set(changed);
  changed.clear();
  try {
    await refresh(sections);
  } catch {
    sections ? sections.forEach((section) => changed.add(section)) : changed.add("*");
  } finally {
    busy = false;
  }
  if (changed.size) waiting = setTimeout(work, POLL_MS);
}

function listen(url) {
  let opened = false;
  const source = new EventSource(url);
  source.addEventListener("open", () => {
    tell(null);
    if (opened) changes("*"); // whatever was missed, the page is true again
    opened = true;
  });
  source.addEventListener("section", (event) => changes(JSON.parse(event.data).section));
  source.addEventListener("reset", () => changes("*"));
  source.addEventListener("error", () => {
    tell(navigator.onLine ? "away" : "offline");
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(url), 5000);
  });
  addEventListener("pagehide", () => source.close(), { once: true });
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
function poll() {
  clearTimeout(polling);
  if (document.querySelector("[data-poll]")) polling = setTimeout(() => changes("purchases"), POLL_MS);
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
document.addEventListener("visibilitychange", work);
addEventListener("online", () => (tell(null), changes("*")));
addEventListener("offline", () => tell("offline"));

const said = document.querySelector("[data-said]");
if (said) {
  const url = new URL(location.href);
  url.searchParams.delete("said"); // so that a reload does not say it again
  history.replaceState(history.state, "", url);
}
if (document.body.dataset.stream) listen(document.body.dataset.stream);
setInterval(tick, 30_000);
poll();
