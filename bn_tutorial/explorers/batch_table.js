// The browser's side of batch_table.py: fields to type into, the numbers that follow, and a slider
// for the field that was chosen last.

const RANGES = { x: [-30, 30, 0.5], weight: [-3, 3, 0.1], bias: [-3, 3, 0.1] };
const LINES = { x_hat: "x_hat", y: "y", out: "● tanh(y)", without: "□ tanh(x)" };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export default {
  render({ model, el }) {
    const follow = []; // functions that show what is in the model
    const root = make("div", el);
    root.className = "bn-batch-table";

    const table = make("table", root);
    const columns = make("colgroup", table);
    for (let i = 0; i < 4; i += 1) make("col", columns);
    const head = make("tr", make("thead", table));
    make("td", head);
    for (const unit of [0, 1, 2]) heading(head, "col", `unit ${unit + 1}`);
    const body = make("tbody", table);
    for (const row of [0, 1, 2, 3]) {
      fill(`example ${row + 1}`, (cell, unit) => {
        field(make("div", cell, "x"), "x", row, unit);
        for (const name of Object.keys(LINES)) line(cell, name, row, unit);
        track(cell, row, unit);
      });
    }
    for (const name of ["mean", "std"]) {
      fill(name, (cell, unit) => number(cell, () => model.get("shown")[name][unit]));
    }
    for (const name of ["weight", "bias"]) fill(name, (cell, unit) => field(cell, name, 0, unit));

    const [slider, sliderLabel] = fineSlider();
    let chosen = ["x", 0, 0];
    choose(...chosen);
    // not while it is being moved: an answer may be of where it was a moment ago
    follow.push(() => slider.matches(":active, :focus") || choose(...chosen));
    controls();
    const status = make("p", root);
    status.setAttribute("role", "status");

    function fill(name, make_cell) {
      const row = make("tr", body);
      heading(row, "row", name);
      for (const unit of [0, 1, 2]) make_cell(make("td", row), unit);
    }

    function field(cell, name, row, unit) {
      if (name === "x") cell.className = "bn-line";
      const input = make("input", cell);
      const value = () => (name === "x" ? model.get("shown").x[row] : model.get("shown")[name])[unit];
      Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off" });
      input.setAttribute("aria-label", label(name, row, unit));
      const send = (text) => model.send({ edit: [name, row, unit], value: text });
      const check = () => {
        const good = input.value.trim() !== "" && Number.isFinite(Number(input.value));
        input.setAttribute("aria-invalid", String(!good));
        return good;
      };
      input.addEventListener("focus", () => choose(name, row, unit));
      input.addEventListener("input", () => check() && send(input.value));
      input.addEventListener("change", () => {
        send(input.value);
        // what is refused doesn't stay
        input.value = check() ? input.value : value();
        check();
      });
      input.addEventListener("keydown", (event) => {
        const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
        if (!by) return;
        event.preventDefault();
        input.value = rounded(Number(check() ? input.value : value()) + by * RANGES[name][2]);
        send(input.value);
      });
      follow.push(() => {
        // an answer may be of what was typed a moment ago
        const typing = input.getRootNode().activeElement === input;
        if (!typing || input.value === "") input.value = value();
        check();
      });
    }

    function line(cell, name, row, unit) {
      const place = make("div", cell);
      place.className = name === "without" ? "bn-line bn-without" : "bn-line";
      make("span", place, LINES[name]);
      const shown = number(place, () => model.get("shown")[name][row][unit]);
      if (name === "out" || name === "without") {
        follow.push(() => {
          shown.classList.toggle("bn-stuck", model.get("shown").stuck[name][row][unit]);
        });
      }
    }

    function number(parent, value) {
      const shown = make("span", parent);
      follow.push(() => {
        if (shown.textContent === value()) return;
        const flash = shown.textContent !== "" && !calm.matches;
        shown.textContent = value();
        if (flash) shown.animate([{ background: "rgb(240 180 0 / 0.6)" }, {}], 700);
      });
      return shown;
    }

    function track(cell, row, unit) {
      const place = make("div", cell);
      place.className = "bn-track";
      place.setAttribute("aria-hidden", "true");
      for (const [name, look] of [["without", "bn-dot bn-before"], ["out", "bn-dot"]]) {
        const dot = make("span", place);
        dot.className = look;
        follow.push(() => {
          const at = Number(model.get("shown")[name][row][unit]);
          dot.hidden = Number.isNaN(at);
          dot.style.left = `${50 + 50 * (at || 0)}%`;
        });
      }
    }

    function fineSlider() {
      const place = make("label", root);
      place.className = "bn-fine";
      const text = make("span", place);
      const input = make("input", place);
      input.type = "range";
      input.addEventListener("input", () => model.send({ edit: chosen, value: input.value }));
      return [input, text];
    }

    function choose(name, row, unit) {
      chosen = [name, row, unit];
      const values = name === "x" ? model.get("shown").x[row] : model.get("shown")[name];
      [slider.min, slider.max, slider.step] = RANGES[name];
      slider.value = values[unit];
      sliderLabel.textContent = label(name, row, unit);
    }

    function controls() {
      const variance = make("label", root, "variance: divide the sum of squares by ");
      const select = make("select", variance);
      for (const [value, text] of [[1, "n − 1 = 3 (correction 1)"], [0, "n = 4 (correction 0)"]]) {
        make("option", select, text).value = value;
      }
      select.addEventListener("change", () => model.send({ correction: Number(select.value) }));
      follow.push(() => (select.value = model.get("shown").correction));
      const row = make("div", root);
      row.className = "bn-row";
      for (const name of model.get("names")) button(row, name, { preset: name });
      button(row, "Reset", { reset: true });
    }

    function button(parent, text, message) {
      const made = make("button", parent, text);
      made.type = "button";
      made.className = "jupyter-button widget-button";
      made.addEventListener("click", () => model.send(message));
    }

    // in JupyterLab arrow keys are the notebook's, but for elements that say otherwise
    for (const element of root.querySelectorAll("input, select, button")) {
      element.setAttribute("data-lm-suppress-shortcuts", "true");
    }
    const show = () => follow.forEach((one) => one());
    const say = () => {
      if (status.textContent !== model.get("text")) status.textContent = model.get("text");
    };
    show();
    say();
    model.on("change:shown", show);
    model.on("change:text", say);
    return () => {
      model.off("change:shown", show);
      model.off("change:text", say);
    };
  },
};

function label(name, row, unit) {
  return name === "x" ? `x of example ${row + 1}, unit ${unit + 1}` : `${name} of unit ${unit + 1}`;
}

function rounded(value) {
  return String(Number(value.toFixed(6)));
}

function heading(row, scope, text) {
  make("th", row, text).scope = scope;
}

function make(kind, parent, text = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  parent.append(element);
  return element;
}
