const field = element.querySelector("input");
const status = element.querySelector("[role=status]");
const { letters } = field.dataset;
const put = (typed) => {
  const code = [...typed.toUpperCase()].filter((letter) => letters.includes(letter)).join("");
  field.value = code.slice(0, field.maxLength);
  return field.value;
};
put(props.value);
watch("value", () => field.value === props.value || put(props.value));
const type = (typed) => {
  props.value = put(typed);
};
field.addEventListener("input", () => type(field.value));
field.addEventListener("keydown", ({ key }) => key === "Enter" && trigger("submit"));
element.addEventListener("click", ({ target }) => {
  const key = target.closest("button");
  if (!key) return;
  type(key.value ? field.value + key.value : field.value.slice(0, -1));
  status.textContent = [...field.value].join(" "); // a field that nobody types in is not read out
});
