const [photograph, large] = element.querySelectorAll("figure");
const strip = element.querySelector("fieldset > div");
const fill = (figure, print) => {
  const picture = figure.querySelector("img");
  if (picture.getAttribute("src") !== print.url) picture.src = print.url;
  picture.alt = print.alt;
  figure.querySelector("figcaption span").textContent = print.caption;
};
const frame = (print, index) => {
  const label = element.querySelector("template").content.firstElementChild.cloneNode(true);
  label.querySelector("input").value = index;
  label.querySelector("img").src = print.url;
  label.lastElementChild.textContent = print.caption;
  return label;
};
const draw = () => {
  const value = JSON.parse(props.value || "{}");
  if (!value.portraits?.length) return;
  fill(photograph, value.photograph);
  fill(large, value.portraits[value.chosen]);
  const shown = value.portraits.map((print) => print.url).join();
  if (strip.dataset.shown !== shown) {
    strip.dataset.shown = shown;
    strip.replaceChildren(...value.portraits.map(frame));
    strip.parentElement.hidden = value.portraits.length < 2;
  }
  strip.querySelectorAll("input")[value.chosen].checked = true;
};
draw();
watch("value", draw);
element.addEventListener("change", ({ target }) => {
  props.value = JSON.stringify({ ...JSON.parse(props.value), chosen: Number(target.value) });
  draw();
  trigger("input");
});
