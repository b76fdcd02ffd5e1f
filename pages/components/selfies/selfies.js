// Sends each chosen file to our own route, then triggers 'sent'; the server renders what it took.
// The box's data: ticket (whose photos), limit (bytes; one more is enough to be refused).
element.addEventListener("change", async ({ target }) => {
  if (target.type !== "file" || !target.files.length) return;
  const { ticket, limit } = element.querySelector(".selfies").dataset;
  const status = element.querySelector("[role=status]");
  status.textContent = status.dataset.sending;
  try {
    for (const file of Array.from(target.files)) {
      const body = file.slice(0, Number(limit) + 1);
      await fetch("selfies", { method: "POST", headers: { "X-Ticket": ticket }, body });
    }
    status.textContent = "";
    trigger("sent");
  } catch {
    status.textContent = status.dataset.lost;
  }
  target.value = "";
});
element.addEventListener("click", ({ target }) => {
  if (target.closest("[data-act=clear]")) trigger("cleared");
});
