// What the pages do where there is JavaScript. Nothing needs it.
"use strict";

for (const box of document.querySelectorAll("[data-copy]")) {
  const button = box.querySelector("button");
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("code").textContent);
    button.dataset.done = "yes";
    setTimeout(() => delete button.dataset.done, 1500);
  });
}

// "/" goes to the search, as it does elsewhere.
document.addEventListener("keydown", (event) => {
  const search = document.querySelector("[data-search]");
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (search && !typing && event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
  }
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "post" && !form.hasAttribute("data-again")) {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
  }
});

// What is live stays as it is while somebody is in it with the keyboard.
document.addEventListener("htmx:beforeRequest", (event) => {
  const live = event.target;
  if (live.matches("[hx-trigger^='every']") && live.contains(document.activeElement)) event.preventDefault();
});
