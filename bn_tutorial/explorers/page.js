// What stands in for a kernel in the pages of page.py: models for the picture's script, of the
// picture and of the controls that it reads; and the address, which keeps their position.

const SETTLED = 300; // ms after a move until the address says it
const arrivals = {}; // source of pages -> what takes them

// what a script with the pages of an edition calls
globalThis.bnPages = (source, pages) => arrivals[source](pages);

function load(source) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    arrivals[source] = resolve;
    script.onerror = reject;
    script.src = source;
    document.body.append(script);
  });
}

// one that the picture's script takes for a widget's
function makeModel(state) {
  const listeners = {};
  const fire = (name, ...values) => (listeners[name] ?? []).forEach((listen) => listen(...values));
  return {
    fire,
    get: (name) => state[name],
    on: (names, listen) => names.split(" ").forEach((name) => (listeners[name] ??= []).push(listen)),
    send() {}, // to no kernel
    set(values) {
      const changed = Object.keys(values).filter((name) => state[name] !== values[name]);
      Object.assign(state, values);
      for (const name of changed) fire(`change:${name}`);
    },
  };
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (symbol) => symbol.charCodeAt(0));
}

async function open(root, book) {
  const slider = root.querySelector("input[type=range]");
  const readout = root.querySelector(".bn-readout");
  const menu = root.querySelector("select");
  const others = [...root.querySelectorAll(".bn-others input")];
  let [edition, page] = sought(root.id, book.editions) ?? book.start;
  let settling;

  const stamp = ({ readings, labels }, at) => readings.with(book.main, labels[at]);
  const controls = stamp(book.editions[edition], page).map((value) => makeModel({ value }));
  const sent = new Set(); // the editions that the picture's script has
  const pages = await pagesOf(edition);
  const model = makeModel({
    png: bytes(pages[page].png),
    text: pages[page].text,
    stamp: stamp(book.editions[edition], page),
    edition: 0,
    width: book.width,
    controls: controls.map((_, i) => `IPY_MODEL_${i}`),
  });
  model.widget_manager = { get_model: async (i) => controls[i] };
  const picture = makePicture();
  picture.initialize({ model });
  send(edition);
  const place = root.querySelector(".bn-place");
  place.replaceChildren();
  picture.render({ model, el: place });

  async function pagesOf(i) {
    const one = book.editions[i];
    return (one.pages ??= await load(one.source));
  }

  function send(i) {
    const one = book.editions[i];
    if (sent.has(i)) return;
    sent.add(i);
    one.pages.forEach(({ png, text }, at) => {
      model.fire("msg:custom", { edition: 0, text, stamp: stamp(one, at) }, [bytes(png)]);
    });
  }

  function show() {
    const { labels } = book.editions[edition];
    const now = stamp(book.editions[edition], page);
    slider.max = labels.length - 1;
    slider.value = page;
    slider.setAttribute("aria-valuetext", labels[page]);
    readout.textContent = labels[page];
    if (menu) menu.selectedIndex = edition;
    const rest = now.toSpliced(book.main, 1);
    others.forEach((input, i) => (input.value = rest[i]));
    controls.forEach((control, i) => control.set({ value: now[i] }));
  }

  // to another edition when its pages are there
  async function move(to, at) {
    try {
      await pagesOf(to);
    } catch {
      return show(); // what is still there
    }
    send(to);
    edition = to;
    page = Math.min(at, book.editions[to].labels.length - 1);
    show();
  }

  function keep() {
    clearTimeout(settling);
    settling = setTimeout(() => {
      const { name, labels } = book.editions[edition];
      const where = new URLSearchParams({ [root.id]: labels[page] });
      if (menu) where.set("edition", name);
      history.replaceState(null, "", `#${where}`);
    }, SETTLED);
  }

  slider.addEventListener("input", () => move(edition, Number(slider.value)).then(keep));
  menu?.addEventListener("change", () => move(menu.selectedIndex, page).then(keep));
  for (const button of root.querySelectorAll("button[data-page]")) {
    const { edition: to, page: at } = button.dataset;
    button.addEventListener("click", () => move(Number(to), Number(at)).then(keep));
  }
  addEventListener("hashchange", () => {
    const to = sought(root.id, book.editions);
    if (to) move(...to);
  });
  show();
  for (const control of root.querySelectorAll("input[type=range], select, button")) {
    control.disabled = false;
  }
  root.classList.add("bn-open");
}

// the edition and page that the address asks this explorer for
function sought(name, editions) {
  const where = new URLSearchParams(location.hash.slice(1));
  const wanted = where.get("edition");
  const edition = wanted === null ? 0 : editions.findIndex((one) => one.name === wanted);
  const page = editions[edition]?.labels.indexOf(where.get(name)) ?? -1;
  return page < 0 ? null : [edition, page];
}

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      open(target, JSON.parse(target.querySelector('script[type="application/json"]').textContent));
    }
  },
  { rootMargin: "100px" },
);
for (const root of document.querySelectorAll(".bn-page")) near.observe(root);

// come to the explorer that the address names
function seek() {
  const [[name] = []] = new URLSearchParams(location.hash.slice(1));
  const root = name && document.getElementById(name);
  if (root?.matches(".bn-page")) root.scrollIntoView();
}
seek();
addEventListener("hashchange", seek);
