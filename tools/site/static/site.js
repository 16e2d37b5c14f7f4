// The site's pages: buttons that copy code, and the search.

for (const input of document.querySelectorAll(".input")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    button.textContent = (await copied(input.innerText)) ? "Copied" : "Not allowed here";
    setTimeout(() => (button.textContent = "Copy"), 1_500);
  });
  input.after(button);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

// the index is made when somebody begins to search
const field = document.querySelector(".search input");
const found = document.querySelector(".found");
let searching = null;

function load(source) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: source, onload: resolve, onerror: reject });
    document.body.append(script);
  });
}

async function makeIndex() {
  await load("static/minisearch.js");
  await load("static/sections.js");
  const index = new MiniSearch({
    fields: ["title", "text"],
    storeFields: ["title", "page", "address"],
    searchOptions: { boost: { title: 3 }, prefix: true, fuzzy: 0.15, combineWith: "AND" },
  });
  index.addAll(courseSections);
  return index;
}

async function search() {
  const index = await (searching ??= makeIndex());
  const wanted = field.value.trim();
  const hits = wanted.length > 1 ? index.search(wanted).slice(0, 12) : [];
  found.replaceChildren(...hits.map(entry));
  if (wanted.length > 1 && !hits.length) found.append(entry({ title: "Nothing found", page: "" }));
}

function entry({ title, page, address }) {
  const item = document.createElement("li");
  const link = document.createElement(address ? "a" : "span");
  const small = document.createElement("small");
  link.textContent = title;
  if (address) link.href = address;
  small.textContent = page;
  item.append(link, small);
  return item;
}

field.addEventListener("input", search);
field.form.addEventListener("submit", (event) => {
  event.preventDefault();
  found.querySelector("a")?.click();
});
field.form.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  found.replaceChildren();
  field.focus();
});
document.addEventListener("click", (event) => {
  if (!field.form.contains(event.target)) found.replaceChildren();
  const contents = document.querySelector(".contents");
  if (!contents.contains(event.target)) contents.open = false;
});
