// Keeps the page fresh: at every server-sent event the page is fetched again and merged into the one on screen.
// What has the attribute data-list is merged child by child, by id; everything else is replaced when it differs.
"use strict";

function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (!old.hasAttribute("data-list") || !fresh.hasAttribute("data-list")) {
    old.replaceWith(fresh);
    return;
  }
  const known = new Map([...old.children].map((child) => [child.id, child]));
  let place = old.firstElementChild;
  for (const child of [...fresh.children]) {
    const same = known.get(child.id);
    known.delete(child.id);
    if (!same) old.insertBefore(child, place);
    else if (same === place) place = place.nextElementSibling;
    else old.insertBefore(same, place);
    if (same) merge(same, child);
  }
  for (const gone of known.values()) gone.remove();
}

const SILENCE_MS = 40000; // the server says something every 15 s at least
const live = document.getElementById("live");
let silence;

function tell(state, words) {
  live.dataset.state = state;
  live.querySelector("span").textContent = words;
}

function hear() {
  clearTimeout(silence);
  silence = setTimeout(() => tell("away", "Not live"), SILENCE_MS);
  tell("on", "Live");
}

let fetching = false;
let wanted = false;

async function refresh() {
  wanted = true;
  if (fetching) return;
  fetching = true;
  while (wanted) {
    wanted = false;
    try {
      const answer = await fetch("/");
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      merge(document.getElementById("phones"), fresh.getElementById("phones"));
      merge(document.getElementById("gateway"), fresh.getElementById("gateway"));
    } catch {
      tell("away", "Reconnecting"); // the next event tries again
    }
  }
  fetching = false;
}

const events = new EventSource("/events");
events.onopen = hear;
events.addEventListener("beat", hear);
events.onmessage = () => { hear(); refresh(); };
events.onerror = () => { clearTimeout(silence); tell("away", "Reconnecting"); };

// On a narrow screen the endings wait above the phones until they are asked for.
document.getElementById("endings").open = matchMedia("(min-width: 64rem)").matches;

// A number of the table goes into the example, and the example into the clipboard.
const copy = document.getElementById("copy");

copy.hidden = false;
copy.addEventListener("click", async () => {
  await navigator.clipboard.writeText(document.getElementById("example").textContent);
  copy.textContent = "Copied";
  setTimeout(() => { copy.textContent = "Copy"; }, 1500);
});

for (const cell of document.querySelectorAll("[data-try]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = cell.textContent;
  button.title = "Put " + cell.dataset.try + " into the example";
  button.addEventListener("click", () => {
    for (const to of document.querySelectorAll(".to")) to.textContent = "-d to=" + cell.dataset.try;
  });
  cell.replaceChildren(button);
}
