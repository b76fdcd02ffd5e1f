// A clicker's keys work on the host's page too, except where somebody types or chooses.
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
