const boxes = () => [...element.querySelectorAll("input")];
const check = () => {
  const said = JSON.parse(props.value || "{}");
  boxes().forEach((box) => {
    box.checked = said[box.name] === true;
  });
};
check();
watch("value", check);
element.addEventListener("change", () => {
  props.value = JSON.stringify(Object.fromEntries(boxes().map((box) => [box.name, box.checked])));
  trigger("input");
});
