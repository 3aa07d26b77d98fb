// What a page does besides htmx: it updates times, copies texts, shows when the kernel is offline,
// and holds back new jobs while the user reads the list.
(() => {
  "use strict";
  const root = document.documentElement;
  const words = root.dataset;
  // the kernel's clock may be ahead of the machine's
  const ahead = Number(words.now) * 1000 - Date.now();

  // the same format as in text.py
  const relative = (seconds) => {
    const far = Math.abs(seconds);
    if (far < 1) return words.timeNow;
    const [unit, size] = [["D", 86400], ["H", 3600], ["Min", 60], ["S", 1]].find(([, n]) => far >= n);
    const length = words[`unit${unit}`].replace("{number}", Math.floor(far / size));
    return words[seconds < 0 ? "timeAgo" : "timeIn"].replace("{length}", length);
  };

  const tick = () => {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll("time[data-when]")) {
      const text = relative((Date.parse(time.dateTime) - now) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const offerCopies = () => {
    for (const button of document.querySelectorAll("button[data-copy][hidden]")) {
      button.hidden = !navigator.clipboard;
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
    const label = button.innerHTML;
    button.textContent = words.copied;
    setTimeout(() => { button.innerHTML = label; }, 1500);
  });

  // new jobs wait for a click if the user has scrolled, or has the pointer or focus in the list
  const isReading = (list) => window.scrollY > 0 || list.matches(":hover, :focus-within");
  document.addEventListener("htmx:config:request", (event) => {
    const { sourceElement, request } = event.detail.ctx;
    const list = document.getElementById("list");
    if (sourceElement.id !== "live" || !list?.dataset.top || !isReading(list)) return;
    request.body.set("top", list.dataset.top);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-newest]")) window.scrollTo({ top: 0 });
  });

  // the box with the connection commands closes once, after the first call
  let called = document.querySelector("[data-called]")?.dataset.called;
  const collapse = () => {
    const now = document.querySelector("[data-called]")?.dataset.called;
    if (called === "no" && now === "yes") document.getElementById("connect").open = false;
    called = now;
  };

  document.addEventListener("htmx:after:swap", () => { tick(); offerCopies(); collapse(); });
  const offline = document.querySelector(".offline");
  document.addEventListener("htmx:sse:error", () => { offline.hidden = false; });
  document.addEventListener("htmx:sse:after:connection", () => { offline.hidden = true; });

  setInterval(tick, 1000);
  offerCopies();
})();
