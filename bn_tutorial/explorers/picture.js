// The browser's side of picture.py: an image with a caption, and frames of a flipbook drawn ahead.

export default () => {
  const pages = new Map(); // page -> picture with its text, of the present edition
  const views = new Set(); // functions that show what is to be seen now
  let shown = null;

  function put(page, png, text) {
    const src = `data:image/png;base64,${base64(png)}`; // quicker than a blob's address
    const picture = { src, text };
    if (page >= 0) Object.assign((picture.decoded = new Image()), { src }); // before it is wanted
    pages.set(page, picture);
    return picture;
  }

  function show(picture) {
    shown = picture;
    for (const view of views) view();
  }

  return {
    initialize({ model }) {
      let edition = model.get("edition");
      let png = null;
      let text = null;
      let linked = false; // whether a slider turns the pages here, ahead of the kernel
      const at = () => model.get(linked ? "ahead" : "index");
      const turn = () => pages.has(at()) && show(pages.get(at()));
      const take = () => {
        if (model.get("edition") !== edition) {
          edition = model.get("edition");
          png = null;
          pages.clear();
        }
        if (!model.get("png")) return; // some pages deliver bytes after the rest
        if (model.get("png") === png && model.get("text") === text) return;
        png = model.get("png");
        text = model.get("text");
        show(put(model.get("page"), png, text));
      };
      take();
      model.on("change:png", take);
      model.on("change:text", take);
      model.on("change:edition", take);
      model.on("change:index", turn);
      model.on("change:ahead", () => {
        linked = true;
        turn();
      });
      model.on("msg:custom", (message, buffers) => {
        if (message.edition !== edition || !buffers?.[0]) return;
        put(message.page, buffers[0], message.text);
        if (message.page === at()) turn();
      });
      model.send({ ready: true });
    },

    render({ model, el }) {
      const image = document.createElement("img");
      const caption = document.createElement("p");
      caption.setAttribute("role", "status");
      image.decoding = "sync"; // not a frame later
      Object.assign(image.style, { maxWidth: "100%", height: "auto" });
      el.append(image, caption);
      image.addEventListener("click", (event) => {
        const box = image.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width;
        const y = 1 - (event.clientY - box.top) / box.height;
        model.send({ click: [x, y] });
      });

      // the browser shows the last picture until the next is complete: no blank moment
      const view = () => {
        if (!shown) return;
        if (image.src !== shown.src) image.src = shown.src;
        else say();
      };
      const say = () => {
        if (image.alt !== shown.text) image.alt = caption.textContent = shown.text;
      };
      image.addEventListener("load", say);
      view();
      views.add(view);

      let observer = null;
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
      });
      return () => {
        views.delete(view);
        cancelAnimationFrame(attached);
        observer?.disconnect();
      };
    },
  };
};

// ipywidgets gives a slider's handle no name, and announces the exponent of a logarithmic slider and
// the index of a SelectionSlider: say the label and what the readout shows
function nameControls(root) {
  for (const handle of root.querySelectorAll(".widget-slider .noUi-handle")) {
    const slider = handle.closest(".widget-slider");
    set(handle, "aria-label", slider.querySelector(".widget-label")?.textContent);
    set(handle, "aria-valuetext", slider.querySelector(".widget-readout")?.textContent);
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
