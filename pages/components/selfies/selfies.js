// Sends each chosen file to our own route, then triggers 'sent'; the server renders what it took.
// 404 and 422 are told by that; any other failure by the server's sentence, or the lost one.
// The box's data: ticket (whose photos), limit (bytes; one more is enough to be refused).
element.addEventListener("change", async ({ target }) => {
  if (target.type !== "file" || !target.files.length) return;
  const { ticket, limit } = element.querySelector(".selfies").dataset;
  const status = element.querySelector("[role=status]");
  status.textContent = status.dataset.sending;
  try {
    for (const file of Array.from(target.files)) {
      const body = file.slice(0, Number(limit) + 1);
      const answer = await fetch("selfies", { method: "POST", headers: { "X-Ticket": ticket }, body });
      if (answer.ok || [404, 422].includes(answer.status)) continue;
      const told = await answer.json().catch(() => null);
      throw new Error(told?.error || status.dataset.lost);
    }
    status.textContent = "";
    trigger("sent");
  } catch (error) {
    status.textContent = error instanceof TypeError ? status.dataset.lost : error.message;
  }
  target.value = "";
});
element.addEventListener("click", ({ target }) => {
  if (target.closest("[data-act=clear]")) trigger("cleared");
});
