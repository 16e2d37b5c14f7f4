// The browser's side of guess.py: a question, a field or some choices, a button, and what was said.

let groups = 0; // choices that share a name exclude each other

export default {
  render({ model, el }) {
    const form = make("form", el);
    const fieldset = make("fieldset", form);
    const choices = model.get("choices");
    const name = `bn-guess-${(groups += 1)}`;
    make("legend", fieldset, model.get("question"));
    const inputs = choices.length ? choices.map((text) => choice(text)) : [field()];
    const button = make("button", fieldset, "This is my guess");
    const status = make("p", form);
    status.setAttribute("role", "status");

    button.type = "submit";
    button.className = "jupyter-button widget-button";
    for (const element of [...inputs, button]) {
      element.setAttribute("data-lm-suppress-shortcuts", "true"); // its keys are its own
    }
    Object.assign(form.style, { color: "var(--jp-content-font-color1, inherit)", margin: "4px" });
    Object.assign(fieldset.style, { border: "1px solid currentColor", padding: "4px 12px 8px" });
    Object.assign(button.style, { display: "block", width: "auto", marginTop: "8px" });

    function choice(text) {
      const label = make("label", fieldset);
      const radio = make("input", label);
      Object.assign(radio, { type: "radio", name, value: text });
      radio.checked = model.get("said") === text;
      label.append(` ${text}`);
      label.style.display = "block";
      return radio;
    }

    function field() {
      const label = make("label", fieldset, "Your guess: ");
      const input = make("input", label);
      Object.assign(input, { type: "text", size: 12, autocomplete: "off", inputMode: "decimal" });
      input.value = model.get("said");
      label.append(` ${model.get("unit")}`);
      return input;
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = choices.length ? inputs.find((radio) => radio.checked) : inputs[0];
      model.send({ guess: given?.value ?? "" });
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target === button) return;
      event.preventDefault(); // JupyterLab keeps forms from doing this by themselves
      form.requestSubmit();
    });
    const follow = () => {
      fieldset.disabled = model.get("revealed");
      if (status.textContent !== model.get("text")) status.textContent = model.get("text");
    };
    follow();
    model.on("change:text", follow);
    model.on("change:revealed", follow);
    return () => {
      model.off("change:text", follow);
      model.off("change:revealed", follow);
    };
  },
};

function make(kind, parent, text = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  parent.append(element);
  return element;
}
