// What a page does by itself, besides htmx: times go on, texts can be copied, silence is told.
(() => {
  "use strict";
  const root = document.documentElement;
  // the kernel's clock may be ahead of the machine's
  const ahead = Number(root.dataset.now) * 1000 - Date.now();

  // as text.py words it
  const relative = (seconds) => {
    const far = Math.abs(seconds);
    if (far < 1) return "now";
    const [unit, size] = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]].find(([, n]) => far >= n);
    const length = `${Math.floor(far / size)} ${unit}`;
    return seconds < 0 ? `${length} ago` : `in ${length}`;
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
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  document.addEventListener("htmx:after:swap", () => { tick(); offerCopies(); });
  const offline = document.querySelector(".offline");
  document.addEventListener("htmx:sse:error", () => { offline.hidden = false; });
  document.addEventListener("htmx:sse:after:connection", () => { offline.hidden = true; });

  setInterval(tick, 1000);
  offerCopies();
})();
