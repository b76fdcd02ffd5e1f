const screen = element.closest(".screen");
const wipe = element.querySelector(".wipe");
const range = wipe.querySelector("input");
const [photograph, large] = wipe.querySelectorAll("img");
const captions = element.querySelectorAll("figcaption b");
const strip = element.querySelector("fieldset > div");
const tone = () => screen.querySelector(".skin input"); // on a sheet of the same screen
const read = () => JSON.parse(props.value || "{}");
const place = () => {
  wipe.style.setProperty("--x", `${range.value}%`);
  range.setAttribute("aria-valuetext", props.words.spoken.replace("{p}", range.value));
};
const fill = (picture, caption, print) => {
  if (picture.getAttribute("src") !== print.url) picture.src = print.url;
  caption.textContent = print.caption;
};
const frame = (print, index) => {
  const label = element.querySelector("template").content.firstElementChild.cloneNode(true);
  label.querySelector("input").value = index;
  label.querySelector("img").src = print.url;
  label.lastElementChild.textContent = print.caption;
  return label;
};
let drawn = false;
const appear = () => { // before anything is drawn the photograph stands alone
  if (!drawn) wipe.classList.add("alone");
  else if (large.complete && large.naturalWidth) wipe.classList.remove("alone");
};
const accompany = (chosen, index) => { // what else the screen shows of that portrait
  for (const part of screen.querySelectorAll("[data-portrait]")) {
    part.hidden = Number(part.dataset.portrait) !== index;
  }
  for (const part of screen.querySelectorAll(".needs-tone")) part.hidden = !chosen?.tone;
  for (const part of screen.querySelectorAll(".needs-misfire")) part.hidden = !chosen?.misfire;
};
const draw = () => {
  const value = read();
  if (!value.photograph) return;
  const chosen = value.portraits[value.chosen];
  const own = chosen?.photograph; // in the same light and crop
  fill(photograph, captions[0], own ? { ...value.photograph, url: own } : value.photograph);
  drawn = Boolean(chosen);
  if (drawn) {
    fill(large, captions[1], tone()?.checked && chosen.tone ? { ...chosen, url: chosen.tone } : chosen);
  }
  appear();
  accompany(chosen, value.chosen);
  const shown = value.portraits.map((print) => print.url).join();
  if (strip.dataset.shown !== shown) {
    strip.dataset.shown = shown;
    strip.replaceChildren(...value.portraits.map(frame));
    strip.parentElement.hidden = value.portraits.length < 2;
  }
  const radio = strip.querySelectorAll("input")[value.chosen];
  if (radio) radio.checked = true;
};
draw();
place();
watch("value", draw);
watch("words", place);
// the screen's other parts may come into the page a moment after this one
new MutationObserver(() => {
  const { portraits = [], chosen } = read();
  accompany(portraits[chosen], chosen);
}).observe(screen, { childList: true, subtree: true });
range.addEventListener("input", place);
large.addEventListener("load", appear);
screen.addEventListener("change", ({ target }) => {
  if (target === tone()) draw();
});
element.addEventListener("change", ({ target }) => {
  if (target === range) return;
  if (tone()) tone().checked = false;
  props.value = JSON.stringify({ ...read(), chosen: Number(target.value) });
  draw();
  trigger("input");
});
