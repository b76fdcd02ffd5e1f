// A contact sheet. Prints are made once and then only changed, so that focus and pictures stay.
const list = element.querySelector("ol"), template = element.querySelector("template");
let ids = "";
const draw = () => {
  const { frames } = JSON.parse(props.value);
  if (ids !== frames.map((frame) => frame.id).join()) {
    ids = frames.map((frame) => frame.id).join();
    list.replaceChildren(...frames.map((frame) => {
      const made = template.content.cloneNode(true), button = made.querySelector("button");
      button.dataset.id = frame.id;
      made.querySelector("img").src = frame.url;
      return made;
    }));
  }
  [...list.children].forEach((item, i) => {
    const frame = frames[i], button = item.querySelector("button");
    button.setAttribute("aria-label", `${frame.name} ${frame.word}`);
    button.toggleAttribute("aria-current", frame.on);
    item.querySelector("b").textContent = i + 1;
    item.querySelector(".word").textContent = frame.word;
  });
};
draw();
watch("value", draw);
list.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  props.value = JSON.stringify({ ...JSON.parse(props.value), chosen: button.dataset.id });
  trigger("input");
});
