// When the booth's machine does not answer, its page says so in our own words until it does. Where it was
// gone the page begins anew; where it was late, as a process that hung, or a tap had no answer, it goes on.
// Gradio would say it too, in its own, and only when something is tapped; its messages are never shown.
(() => {
  const LOOK_MS = 1500, AGAIN_MS = 500, LATE_MS = 5000;
  const MISSES = 2; // a connection may break by itself
  const KEPT_S = 60; // of the name of the screen, for the page that comes after this one
  const PLACE = location.pathname.replace(/[^/]*$/, "");
  let missed = 0, wasGone = false, unanswered = 0, timer = 0;
  const keep = (name, seconds) => {
    document.cookie = `face_value_was=${name}; Path=${PLACE}; Max-Age=${seconds}; SameSite=Lax`;
  };
  addEventListener("pointerdown", () => keep("", 0), { once: true }); // whoever goes on has read it

  const dialog = () => document.querySelector("dialog.away");
  const tell = () => {
    if (dialog() && !dialog().open) dialog().showModal();
  };
  const leave = () => {
    const screen = document.querySelector(".fv .screen");
    const classes = [...screen?.classList ?? []];
    keep(classes[classes.indexOf("screen") + 1] ?? "", KEPT_S); // its name stands beside it
    location.reload();
  };
  const look = async () => {
    clearTimeout(timer);
    const { status } = await askWithin(LATE_MS, "api/round").catch(({ name }) => ({ status: name }));
    const isThere = status < 500;
    missed = isThere ? 0 : missed + 1;
    if (missed >= MISSES) tell();
    if (isThere && wasGone && dialog()?.open) return leave();
    wasGone = !isThere && (wasGone || status !== "AbortError"); // an answer that is late may still come
    if (isThere && !unanswered) dialog()?.close();
    clearTimeout(timer);
    timer = setTimeout(look, missed ? AGAIN_MS : LOOK_MS);
  };
  addEventListener("late", () => {
    unanswered += 1;
    tell();
  });
  addEventListener("answered", () => {
    unanswered -= 1;
    look();
  });
  addEventListener("cancel", (event) => event.target.matches("dialog.away") && event.preventDefault(), true);

  // What Gradio has to say is taken away before it is painted: the machine is gone, or one tap failed.
  const line = document.createElement("p");
  line.className = "says";
  line.setAttribute("role", "status");
  let shown = 0;
  new MutationObserver(() => {
    const toast = document.querySelector(".toast-wrap .toast-item:not(.seen)");
    if (!toast) return;
    toast.classList.add("seen");
    line.textContent = dialog()?.dataset.failed ?? "";
    document.body.append(line);
    clearTimeout(shown);
    shown = setTimeout(() => line.remove(), 8000);
    look();
  }).observe(document.documentElement, { childList: true, subtree: true });
  look();
})();
