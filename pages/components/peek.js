// The split, as long as the button is held by finger, mouse or space bar.
const button = element.querySelector("button");
const LATE_MS = 5000;
let held = false;
const show = async () => {
  held = true;
  const reply = await askWithin(LATE_MS, "../api/host/split").catch(() => null);
  if (!reply || !reply.ok || !held) return;
  const counts = JSON.parse(reply.text);
  button.textContent = button.dataset.split.replace("{photograph}", counts.photograph).replace(
    "{generated}",
    counts.generated,
  );
};
const hide = () => {
  held = false;
  button.textContent = button.dataset.label;
};
button.addEventListener("pointerdown", show);
for (const end of ["pointerup", "pointerleave", "pointercancel", "blur", "keyup"]) {
  button.addEventListener(end, hide);
}
button.addEventListener("keydown", (event) => {
  if (event.key === " " && !event.repeat) show();
});
document.addEventListener("visibilitychange", hide);
