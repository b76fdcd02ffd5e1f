const wipe = element.querySelector(".wipe");
const range = wipe.querySelector("input");
const [left, right] = wipe.querySelectorAll("img");
const PERIOD_MS = 24000; // to and fro
const SOON_MS = 50, AGAIN_MS = 3000, LATE_MS = 10000;
let attracting = !matchMedia("(prefers-reduced-motion: reduce)").matches;
const place = (share) => {
  wipe.style.setProperty("--x", `${share}%`);
  range.setAttribute("aria-valuetext", props.words.spoken.replace("{p}", Math.round(share)));
};
watch("words", () => place(range.value));
const rest = () => {
  attracting = false;
};
range.addEventListener("input", () => {
  rest();
  place(Number(range.value));
});
["pointerdown", "keydown", "focus"].forEach((name) => range.addEventListener(name, rest));
const move = (began) => (now) => {
  if (!attracting || !wipe.isConnected) return;
  const share = 50 + 38 * Math.sin((2 * Math.PI * (now - began)) / PERIOD_MS);
  range.value = share;
  place(share);
  requestAnimationFrame(move(began));
};
// 202: it is still being drawn; anything else but a picture: it never comes. A lost connection may come back.
const arrive = async (picture) => {
  if (!wipe.isConnected) return;
  if (!window.askWithin) { // Gradio may mount us before it has run the page's own scripts
    setTimeout(arrive, SOON_MS, picture);
    return;
  }
  const reply = await askWithin(LATE_MS, picture.dataset.src, { method: "HEAD" }).catch(() => null);
  if (!reply || reply.status === 202) {
    setTimeout(arrive, AGAIN_MS, picture);
    return;
  }
  if (reply.status === 200) picture.src = picture.dataset.src;
};
left.addEventListener("load", () => wipe.classList.add("here"));
right.addEventListener("load", () => {
  wipe.classList.remove("alone");
  place(50);
  requestAnimationFrame((now) => move(now)(now));
});
[left, right].forEach(arrive);
