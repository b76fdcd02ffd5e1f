const wipe = element.querySelector(".wipe");
const range = wipe.querySelector("input");
const [left, right] = wipe.querySelectorAll("img");
const PERIOD_MS = 24000; // to and fro
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
  if (wipe.classList.contains("covered")) { // by the scenes of a kiosk: nobody sees it move until they go
    const again = new MutationObserver(() => {
      again.disconnect();
      requestAnimationFrame(move(began));
    });
    again.observe(wipe, { attributeFilter: ["class"] });
    return;
  }
  const share = 50 + 38 * Math.sin((2 * Math.PI * (now - began)) / PERIOD_MS);
  range.value = share;
  place(share);
  requestAnimationFrame(move(began));
};
const arrive = async (picture) => {
  if (await isDrawn(picture.dataset.src, wipe)) picture.src = picture.dataset.src;
};
left.addEventListener("load", () => wipe.classList.add("here"));
right.addEventListener("load", () => {
  wipe.classList.remove("alone");
  place(50);
  requestAnimationFrame((now) => move(now)(now));
});
[left, right].forEach(arrive);
