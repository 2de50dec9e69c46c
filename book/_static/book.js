// What pages do beyond being read: definitions that show on terms, the table of findings, cards of claims that open for
// who is sent to them, the excerpts of the search.
// Without it terms show their title, the table is a plain table, and results have no excerpts.
"use strict";

// Terms: the definition shows on hover and on focus, stays while it is pointed at, and goes with Escape.
function showDefinitions() {
  const tip = Object.assign(document.createElement("span"), { id: "ws-tip", className: "ws-tip", hidden: true });
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);
  let leaving;
  const hide = () => (tip.hidden = true);
  const show = (term) => {
    clearTimeout(leaving);
    tip.textContent = term.dataset.definition;
    tip.hidden = false;
    const at = term.getBoundingClientRect();
    const left = Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const below = at.bottom + tip.offsetHeight + 4 < window.innerHeight;
    tip.style.left = `${Math.max(8, left) + window.scrollX}px`;
    tip.style.top = `${(below ? at.bottom + 2 : at.top - tip.offsetHeight - 2) + window.scrollY}px`;
  };
  const leave = () => (leaving = setTimeout(hide, 200));
  for (const term of document.querySelectorAll("a.ws-term[title]")) {
    term.dataset.definition = term.title;
    term.removeAttribute("title");
    term.setAttribute("aria-describedby", tip.id);
    for (const event of ["mouseenter", "focus"]) term.addEventListener(event, () => show(term));
    for (const event of ["mouseleave", "blur"]) term.addEventListener(event, leave);
  }
  tip.addEventListener("mouseenter", () => clearTimeout(leaving));
  tip.addEventListener("mouseleave", leave);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

// The table of findings: a field to filter by words, a choice for each column of few values, headings that sort.
function makeRegister(table) {
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const text = (row, column) => row.cells[column].textContent.trim();
  const form = Object.assign(document.createElement("form"), { className: "ws-filters" });
  const label = (name, field) => {
    const around = document.createElement("label");
    around.append(`${name} `, field);
    form.append(around);
    field.addEventListener("input", filter);
    return field;
  };
  const words = label("Find", Object.assign(document.createElement("input"), { type: "search" }));
  const choices = heads.flatMap((head, column) => {
    const values = [...new Set(rows.map((row) => text(row, column)))];
    if (!["Asked of", "Verdict"].includes(head.textContent)) return [];
    const field = document.createElement("select");
    field.append(new Option("all", ""), ...values.map((value) => new Option(value)));
    return [[column, label(head.textContent, field)]];
  });
  const count = Object.assign(document.createElement("output"));
  form.append(count);
  form.addEventListener("submit", (event) => event.preventDefault());
  function filter() {
    const wanted = words.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const found = wanted.every((word) => row.textContent.toLowerCase().includes(word));
      row.hidden = !(found && choices.every(([column, { value }]) => !value || text(row, column) === value));
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} findings`;
  }
  heads.forEach((head, column) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: head.textContent });
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value ?? text(row, column);
      const compare = (a, b) => key(a).localeCompare(key(b), "en", { numeric: true });
      const numbers = (a, b) => Number(key(a) || "Infinity") - Number(key(b) || "Infinity");
      const order = rows[0].cells[column].classList.contains("ws-number") ? numbers : compare;
      table.tBodies[0].append(...[...rows].sort((a, b) => (down ? -1 : 1) * (order(a, b) || 0)));
    });
  });
  const box = table.closest(".ws-scroll");
  box.classList.add("ws-tall");
  box.before(form);
  filter();
}

// Claims: a link to a card opens it, and so does paper, on which nothing else could.
function openCards() {
  const cards = [...document.querySelectorAll("details.ws-claim")];
  const open = () => {
    const card = cards.find(({ id }) => id === location.hash.slice(1));
    if (card) card.open = true;
    card?.scrollIntoView();
  };
  addEventListener("hashchange", open);
  document.addEventListener("click", ({ target }) => target.closest(".ws-sign, .ws-register a")?.hash === location.hash && open());
  open();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = cards.filter((card) => !card.open);
    for (const card of closed) card.open = true;
  });
  addEventListener("afterprint", () => closed.forEach((card) => (card.open = false)));
}

// The search: Sphinx lists the pages that it finds, and each gets an excerpt of its text.
function addExcerpts(results) {
  Search.htmlToText = (text) => text; // what it would take from HTML is text already
  const query = new URLSearchParams(location.search).get("q") ?? "";
  const [, terms, , highlighted] = Search._parseQuery(query);
  new MutationObserver(() => {
    for (const item of results.querySelectorAll("ul.search > li:not(.ws-seen)")) {
      item.classList.add("ws-seen");
      const [page, section] = item.querySelector("a").getAttribute("href").split("#");
      const found = pageTexts[page.replace(/\.html$/, "")];
      if (!found || item.querySelector("span")) continue; // an object of the API, with a description
      const excerpt = Search.makeSearchSummary(found.text.slice(found.sections[section] ?? 0), terms, "");
      if (excerpt) item.append(excerpt);
      for (const term of highlighted) _highlightText(item, term, "highlighted");
    }
  }).observe(results, { childList: true, subtree: true });
}

// What scrolls can be reached by keyboard, and says so where it is wider than the page. A fold has no size until it opens.
function reachScrollers() {
  const check = (box) => {
    const wide = box.scrollWidth > box.clientWidth + 1;
    box.classList.toggle("ws-wide", wide);
    if (wide || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
  };
  // In the next frame, because what a check changes may be seen by the observer.
  const sizes = new ResizeObserver((boxes) => requestAnimationFrame(() => boxes.forEach(({ target }) => check(target))));
  for (const box of document.querySelectorAll(".bd-article .ws-scroll, .bd-article pre, .pst-scrollable-table-container")) {
    check(box);
    sizes.observe(box);
  }
}

// The current chapter shows in the sidebar; scrollIntoView would also move where the first Tab begins.
function showChapter() {
  const chapter = document.querySelector(".bd-sidebar-primary li.current");
  const box = chapter?.closest(".sidebar-primary-item");
  if (box) box.scrollTop += chapter.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 2;
}

showChapter();
showDefinitions();
document.querySelectorAll("table.ws-register").forEach(makeRegister);
openCards();
reachScrollers();
if (typeof pageTexts !== "undefined") addExcerpts(document.getElementById("search-results"));
