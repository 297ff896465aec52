// Keeps the page in step with the node: fetches it again every two seconds and puts in what has changed.
"use strict";
(() => {
  const PERIOD = 2000;
  const LIMIT = 8000;
  const live = document.getElementById("live");
  const stale = document.getElementById("stale");
  let shown = new Date();
  document.documentElement.classList.add("js");

  // Changes `old` into `now` piece by piece, so that selections and open menus stay.
  function morph(old, now) {
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) {
      old.replaceWith(document.importNode(now, true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== now.data) old.data = now.data;
      return;
    }
    for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const [olds, nows] = [[...old.childNodes], [...now.childNodes]];
    nows.forEach((child, at) => (at < olds.length ? morph(olds[at], child) : old.append(document.importNode(child, true))));
    olds.slice(nows.length).forEach((child) => child.remove());
  }

  function tell(sentence) {
    stale.textContent = sentence;
    stale.hidden = !sentence;
    document.documentElement.classList.toggle("stale", Boolean(sentence));
  }

  async function refresh() {
    try {
      const reply = await fetch(location.pathname, {
        headers: { Accept: "text/html" },
        cache: "no-store",
        signal: AbortSignal.timeout(LIMIT),
      });
      if (reply.status === 401) return tell("Signed out, stale since " + shown.toLocaleTimeString() + ": reload to sign in again.");
      if (!reply.ok) throw new Error("the node answers " + reply.status);
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      const next = page.getElementById("live");
      if (!next) throw new Error("the answer is another page");
      morph(live, next);
      document.title = page.title;
      shown = new Date();
      tell("");
    } catch (error) {
      const unreachable = error.name === "TimeoutError" || error instanceof TypeError;
      const why = unreachable ? "the node does not answer" : error.message;
      tell("Stale since " + shown.toLocaleTimeString() + ": " + why + ". Trying again.");
    }
  }

  async function keepRefreshing() {
    for (;;) {
      await new Promise((wake) => setTimeout(wake, PERIOD));
      if (!document.hidden) await refresh();
    }
  }

  // Without a secure context there is no clipboard; then the text is selected, ready to be copied.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    getSelection().selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected";
    }
  });

  if (live && stale) keepRefreshing();
})();
