// What a page cannot do alone: load its content again while somebody looks at it, and act on many orders one after the other.
"use strict";

const main = document.getElementById("main");
const announce = (text) => { document.getElementById("announce").textContent = text; };

// Live pages. Nothing is loaded in a hidden tab, or while somebody types or has chosen something.
const seconds = Number(main.dataset.live);
const isBusy = () => main.contains(document.activeElement) && document.activeElement !== main
  || !document.getSelection().isCollapsed || main.querySelector("details[open]");

async function reload() {
  if (document.hidden || isBusy()) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "manual" });
  if (answer.type === "opaqueredirect") { location.reload(); return; }
  if (!answer.ok) return;
  const content = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
  if (content && !isBusy()) main.replaceChildren(...content.childNodes);
}

if (seconds > 0) {
  let again = setInterval(() => reload().catch(() => announce("The gateway does not answer.")), seconds * 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) reload().catch(() => {}); });
  addEventListener("pagehide", () => clearInterval(again));
}

// Actions on many orders.
const bulk = document.querySelector("form[data-bulk]");
if (bulk) {
  const all = document.querySelector("[data-all]");
  const boxes = () => [...document.querySelectorAll("[data-order]")];
  const chosen = () => boxes().filter((box) => box.checked);
  const count = () => { bulk.querySelector("[data-count]").textContent = chosen().length; };
  const stop = bulk.querySelector("[data-stop]");
  // Not randomUUID: a browser has that only where TLS is used, or on the same machine.
  const freshId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  let isStopped = false;
  document.addEventListener("change", (event) => {
    if (event.target === all) boxes().forEach((box) => { box.checked = all.checked; });
    count();
  });
  stop.addEventListener("click", () => { isStopped = true; });

  bulk.addEventListener("submit", async (event) => {
    event.preventDefault();
    const orders = chosen();
    if (orders.length === 0 || !confirm(`${bulk.elements.action.selectedOptions[0].text}: ${orders.length} orders?`)) return;
    const progress = bulk.querySelector("progress");
    const refusalsMax = Number(bulk.elements.refusals.value);
    const button = bulk.querySelector("button:not([type])");
    let [done, refused] = [0, 0];
    isStopped = false;
    button.disabled = true;
    stop.disabled = false;
    progress.max = orders.length;
    for (const box of orders) {
      if (isStopped || refused >= refusalsMax) break;
      const result = box.closest("tr").querySelector("[data-result]");
      const body = new URLSearchParams({
        form_token: bulk.elements.form_token.value, action: bulk.elements.action.value, reason: bulk.elements.reason.value,
        action_id: `console-${freshId()}`,
      });
      try {
        const answer = await fetch(box.dataset.action, { method: "POST", body, headers: { accept: "application/json" } });
        const told = await answer.json();
        if (!answer.ok) refused += 1;
        result.textContent = answer.ok ? told.state : `${told.detail} (${told.code})`;
      } catch {
        refused += 1;
        result.textContent = "No answer: it may have been done.";
      }
      box.checked = false;
      done += 1;
      progress.value = done;
    }
    announce(`${done - refused} done, ${refused} refused, ${orders.length - done} left.`);
    bulk.dataset.summary = `${done - refused}/${refused}/${orders.length - done}`;
    button.disabled = false;
    stop.disabled = true;
    count();
  });
}
