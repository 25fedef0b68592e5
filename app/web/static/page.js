"use strict";
// Keeps the part of a page that moves up to date: by a stream while it works, by asking where it does not.
(() => {
  const live = document.getElementById("live");
  const state = document.getElementById("state");
  const connection = document.getElementById("connection");
  if (!live) return;
  const here = location.pathname + location.search;
  let stream = null, timer = null, failures = 0;

  function say(what) {
    const text = what ? connection.dataset[what] : "";
    if (connection.textContent !== text) connection.textContent = text;
  }

  // Focus and what somebody opened survive: elements are told by their ids.
  function show(html) {
    const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...live.querySelectorAll("details[open]")].map((each) => each.id);
    live.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    announce();
    say("");
  }

  function announce() {
    const { state: now = "", code = "" } = live.querySelector("[data-state]")?.dataset ?? {};
    if (state && state.textContent !== now) state.textContent = now;
    for (const each of document.querySelectorAll("[data-when]")) each.hidden = !each.dataset.when.split(" ").includes(code);
  }

  async function ask() {
    try {
      const answer = await fetch("/part" + here, { cache: "no-store" });
      if (answer.status === 401) return void location.reload();
      if (answer.ok) show(await answer.text());
      else say(answer.status === 503 ? "away" : "lost");
    } catch {
      say("lost");
    }
    timer = setTimeout(follow, 3000);
  }

  function stop() {
    stream?.close();
    clearTimeout(timer);
    stream = timer = null;
  }

  function follow() {
    stop();
    if (failures >= 3) return void ask();
    stream = new EventSource("/live" + here);
    stream.onmessage = (event) => { failures = 0; show(event.data); };
    stream.addEventListener("away", () => say("away"));
    stream.onerror = () => {
      failures += 1;
      say("lost");
      const refused = stream.readyState === EventSource.CLOSED;
      if (failures >= 3 || refused) stop();
      if (refused) void ask(); else if (failures >= 3) timer = setTimeout(follow, 2000);
    };
  }

  // A hidden page asks for nothing.
  document.addEventListener("visibilitychange", () => {
    failures = 0;
    if (document.hidden) stop(); else follow();
  });
  announce();
  if (!document.hidden) follow();
})();

// What a campaign would come to, while somebody types.
(() => {
  const form = document.querySelector("form[data-preview]");
  if (!form) return;
  const preview = document.getElementById("preview");
  let timer = null, asked = null;

  async function look() {
    asked?.abort();
    const mine = asked = new AbortController();
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.dataset.preview, { method: "POST", body, signal: mine.signal });
      if (answer.ok && mine === asked) preview.innerHTML = await answer.text();
    } catch {
      // the next letter asks again
    }
  }

  function fit() {
    const named = form.elements.gateway.selectedOptions[0]?.dataset.named === "yes";
    for (const each of form.querySelectorAll("[data-of]")) each.hidden = (each.dataset.of === "named") !== named;
  }

  form.addEventListener("input", () => {
    fit();
    clearTimeout(timer);
    timer = setTimeout(look, 400);
  });
  for (const each of form.querySelectorAll(".unscripted")) each.hidden = true;
  fit();
  look();
})();

// What asks first does so in a dialog where there are scripts, and on a page of its own where there are none.
for (const each of document.querySelectorAll("[data-dialog]")) {
  each.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById(each.dataset.dialog).showModal();
  });
}
