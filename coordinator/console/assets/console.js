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

  // Acts on the chosen orders, one after the other; as a preview, it only shows what would become of each.
  async function each(isPreview) {
    const orders = chosen();
    const name = bulk.elements.action.selectedOptions[0].text;
    if (orders.length === 0 || !bulk.reportValidity()) return;
    if (!isPreview && !confirm(`${name}: ${orders.length} orders?`)) return;
    const progress = bulk.querySelector("progress");
    const refusalsMax = Number(bulk.elements.refusals.value);
    const buttons = bulk.querySelectorAll("button:not([data-stop])");
    let [done, refused] = [0, 0];
    isStopped = false;
    buttons.forEach((button) => { button.disabled = true; });
    stop.disabled = false;
    progress.max = orders.length;
    for (const box of orders) {
      if (isStopped || refused >= refusalsMax) break;
      const result = box.closest("tr").querySelector("[data-result]");
      const body = new URLSearchParams({
        form_token: bulk.elements.form_token.value, action: bulk.elements.action.value, reason: bulk.elements.reason.value,
        action_id: `console-${freshId()}`, ticket: bulk.elements.ticket.value,
      });
      try {
        const to = box.dataset.action + (isPreview ? "?preview=true" : "");
        const answer = await fetch(to, { method: "POST", body, headers: { accept: "application/json" } });
        const told = await answer.json();
        if (!answer.ok) refused += 1;
        const then = told.forecast ? `forecast: ${told.orders?.[0]?.then ?? "unchanged"}` : told.state;
        result.textContent = answer.ok ? then : `${isPreview ? "forecast: refused. " : ""}${told.detail} (${told.code})`;
      } catch {
        refused += 1;
        result.textContent = isPreview ? "No answer." : "No answer: it may have been done.";
      }
      if (!isPreview) box.checked = false;
      done += 1;
      progress.value = done;
    }
    const words = isPreview ? ["could be done", "would be refused", "were not looked at"] : ["done", "refused", "left"];
    announce(`${done - refused} ${words[0]}, ${refused} ${words[1]}, ${orders.length - done} ${words[2]}.`);
    bulk.dataset.summary = `${done - refused}/${refused}/${orders.length - done}`;
    buttons.forEach((button) => { button.disabled = false; });
    stop.disabled = true;
    count();
  }

  bulk.addEventListener("submit", (event) => { event.preventDefault(); each(false); });
  bulk.querySelector("[data-preview]").addEventListener("click", () => { each(true); });
}
