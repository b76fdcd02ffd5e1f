// The host's page says when there is no network: Gradio would show old figures and say nothing.
(() => {
  const { offline, lang, dir } = document.currentScript.dataset;
  Object.assign(document.documentElement, { lang, dir }); // Gradio says English
  const PAUSE_MS = 1500, LATE_MS = 2500;
  const line = document.createElement("p");
  line.className = "says";
  line.setAttribute("role", "status");
  const look = async () => {
    const answer = await askWithin(LATE_MS, "../api/round").catch(() => null);
    if (!answer) dispatchEvent(new Event("lost"));
    if (!line.isConnected) document.body.append(line);
    const said = answer ? "" : offline;
    if (line.textContent !== said) line.textContent = said;
    setTimeout(look, PAUSE_MS);
  };
  look();
})();
// A clicker's keys work there too, except where somebody types or chooses.
(() => {
  const BUTTONS = {
    ArrowRight: "next",
    PageDown: "next",
    " ": "next",
    ArrowLeft: "back",
    PageUp: "back",
    b: "blank",
    B: "blank",
    ".": "blank",
    r: "replay",
  };
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const busy = event.target.closest("input, textarea, select, [contenteditable]");
    const pressed = event.key === " " && event.target.closest("button, a, summary, [role=button]");
    if (busy || pressed || !BUTTONS[event.key]) return;
    event.preventDefault();
    document.getElementById(`host-${BUTTONS[event.key]}`)?.click();
  });
})();
