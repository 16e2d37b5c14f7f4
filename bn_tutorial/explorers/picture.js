// The browser's side of picture.py: of the pictures that came it shows the one whose stamp is what
// the controls read now, and marks the one that it shows as long as that is another.

const LATE = 60; // ms after which a picture that the controls have left is dimmed,
const SILENT = 600; // and after which the caption says what it waits for
const PULSE = 500; // ms between two looks whether there is a kernel

export default () => {
  const pages = new Map(); // stamp -> picture with its text, of the present edition
  const views = new Set(); // functions that show what is to be seen now
  const left = new Map(); // stamp -> when the controls left it
  let controls = null; // their models, where the page lets a widget find others
  let wanted = null; // the stamp of what the controls read
  let shown = null;
  let failed = false;
  let timer;

  function put(png, text, stamp) {
    const src = `data:image/png;base64,${base64(png)}`; // quicker than a blob's address
    const picture = { png, text, stamp, src, key: JSON.stringify(stamp) };
    Object.assign((picture.decoded = new Image()), { src }); // before it is wanted
    pages.set(picture.key, picture);
    return picture;
  }

  function want(stamp) {
    const key = JSON.stringify(stamp);
    if (key === wanted) return;
    left.set(wanted, performance.now());
    wanted = key;
  }

  // ms since the controls left what is shown; -1 where they have not
  function lateness() {
    if (!shown || shown.key === wanted) return -1;
    return performance.now() - (left.get(shown.key) ?? -Infinity);
  }

  function update() {
    const late = lateness(); // before the views look at it: they may see more, and never less
    for (const view of views) view();
    clearTimeout(timer);
    if (late < 0) left.clear();
    else if (late < SILENT) timer = setTimeout(update, (late < LATE ? LATE : SILENT) - late);
  }

  return {
    initialize({ model }) {
      let edition = null;
      const show = (picture) => {
        shown = picture;
        failed = false;
        // so that a notebook that is saved keeps what is seen
        const { png, text, stamp } = picture;
        model.set({ png, text, stamp });
        update();
      };
      const turn = () => {
        if (controls) want(controls.map(reading));
        if (pages.has(wanted)) show(pages.get(wanted));
        else update();
      };
      const take = () => {
        if (!model.get("png")) return; // some pages deliver bytes after the rest
        edition = model.get("edition");
        pages.clear();
        if (!controls) want(model.get("stamp"));
        show(put(model.get("png"), model.get("text"), model.get("stamp")));
      };
      const again = () => {
        if (model.get("edition") !== edition) return take();
        if (model.get("text") === shown?.text) return;
        failed = true;
        shown = { ...shown, text: model.get("text") };
        update();
      };
      take();
      model.on("change:edition", take);
      model.on("change:png", () => shown || take());
      model.on("change:text", again);
      let answered = false;
      model.on("msg:custom", (message, buffers) => {
        answered = true;
        if (message.turn && !controls) want(message.turn);
        if (message.edition === edition && buffers?.[0]) {
          put(buffers[0], message.text, message.stamp);
        }
        turn();
      });
      find(model, (found) => {
        controls = found;
        for (const control of controls) {
          control.on("change:index change:value change:_options_labels", turn);
        }
        turn();
      });
      // a cell may keep the kernel from hearing the first message, and not the second
      const ask = (times) => {
        if (answered || !times) return;
        model.send({ ready: true, ratio: Math.min(2, window.devicePixelRatio || 1) });
        setTimeout(ask, 1_000, times - 1);
      };
      ask(3);
    },

    render({ model, el }) {
      const image = document.createElement("img");
      const caption = document.createElement("p");
      caption.setAttribute("role", "status");
      image.decoding = "sync"; // not a frame later
      image.style.width = `${model.get("width")}px`;
      el.classList.add("bn-picture");
      el.append(image, caption);
      image.addEventListener("click", (event) => {
        const box = image.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width;
        const y = 1 - (event.clientY - box.top) / box.height;
        model.send({ click: [x, y] });
      });

      let gone = false;
      // the browser shows the last picture until the next is complete: no blank moment
      const view = () => {
        if (!shown) return;
        if (image.src !== shown.src) image.src = shown.src;
        else say();
      };
      const say = () => {
        const late = lateness();
        image.classList.toggle("bn-late", late >= LATE || gone);
        image.alt = shown.text;
        let text = shown.text;
        if (gone) text += " The kernel is gone: run the cell again.";
        else if (late >= SILENT && !failed) text = "Waiting for the kernel.";
        if (caption.textContent !== text) caption.textContent = text;
      };
      image.addEventListener("load", say);
      view();
      views.add(view);

      let observer = null;
      let pulse = null;
      const attached = requestAnimationFrame(() => {
        const root = el.closest(".bn-explorer");
        if (!root) return;
        nameControls(root);
        observer = new MutationObserver(() => nameControls(root));
        observer.observe(root, {
          attributeFilter: ["title", "aria-valuenow"],
          characterData: true,
          childList: true,
          subtree: true,
        });
        pulse = setInterval(() => {
          if (gone || !controls?.some(isGone)) return;
          gone = true;
          for (const child of root.children) child.inert = child !== el;
          view();
        }, PULSE);
      });
      return () => {
        views.delete(view);
        cancelAnimationFrame(attached);
        clearInterval(pulse);
        observer?.disconnect();
      };
    },
  };
};

// the models of the controls, where the page has a way to them
async function find(model, found) {
  const names = model.get("controls").map((reference) => reference.slice("IPY_MODEL_".length));
  if (!names.length || !model.widget_manager?.get_model) return;
  found(await Promise.all(names.map((name) => model.widget_manager.get_model(name))));
}

function reading(control) {
  const labels = control.get("_options_labels");
  return labels ? labels[control.get("index")] : control.get("value");
}

function isGone(control) {
  return control.comm_live === false || control.comm?.jsServicesComm?.isDisposed;
}

// ipywidgets gives a slider's handle no name, and announces the exponent of a logarithmic slider and
// the index of a SelectionSlider: say the label and what the readout shows. And a notebook would
// take its arrow keys for its own
function nameControls(root) {
  for (const handle of root.querySelectorAll(".widget-slider .noUi-handle")) {
    const slider = handle.closest(".widget-slider");
    set(handle, "aria-label", slider.querySelector(".widget-label")?.textContent);
    set(handle, "aria-valuetext", slider.querySelector(".widget-readout")?.textContent);
    set(handle, "data-lm-suppress-shortcuts", "true");
  }
  for (const label of root.querySelectorAll('[title="null"]')) label.removeAttribute("title");
}

function base64(view) {
  // a DataView in JupyterLab; elsewhere the buffer itself
  const bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
  if (bytes.toBase64) return bytes.toBase64(); // not in browsers from before 2025
  return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}

function set(element, name, value) {
  if (value && element.getAttribute(name) !== value) element.setAttribute(name, value);
}
