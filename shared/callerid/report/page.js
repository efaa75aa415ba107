"use strict";
// The table of callers: filter, sort, a page at a time. Names are set as text, never as HTML.
(() => {
  const PAGE = 100; // lines that are drawn at once, however many callers there are
  const PRINTED = 1000; // lines on paper; nobody reads more there
  const rows = JSON.parse(document.getElementById("data").textContent).map(
    ([name, beside, listed, counts, denied, sessions, first, last, reached, more, clouds]) => ({
      name, beside, listed, counts, denied, sessions, first, last, reached, more, clouds,
      accesses: counts.reduce((sum, number) => sum + number, 0),
      findings: counts[2] + counts[3],
      reaches: new Set(reached.map(([target, place]) => `${target}\n${place}`)).size + more,
      text: [name, beside, ...reached.flatMap(([target, place, , through]) => [target, place, through])]
        .join("\n").toLowerCase(),
    }));
  const get = (id) => document.getElementById(id);
  const [table, filter, kind, cloud] = ["table", "filter", "kind", "cloud"].map(get);
  const body = table.tBodies[0];
  const number = (value) => value.toLocaleString("en-US");
  const minute = (time) => (time ? time.slice(0, 16).replace("T", " ") : "–");
  let shown = rows;
  let page = 0;
  let order = null; // as it came: findings first, then the most frequent

  const element = (tag, className, ...held) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...held);
    return made;
  };
  const cells = (values) => values.map((value) => element("td", "n", number(value)));

  const inside = (row) => {
    const head = ["target", "from", "log", "identified", "unexpected", "anonymous", "unattributable", "denied",
      "sessions", "first seen", "last seen"];
    const lines = row.reached.map(([target, place, log, through, counts, denied, sessions, first, last]) =>
      element("tr", "",
        element("td", "name", target, element("small", "", place)),
        element("td", "", through || "–"), element("td", "", log),
        ...cells([counts[0] + counts[1], counts[2], counts[3], counts[4], denied, sessions]),
        element("td", "t", minute(first)), element("td", "t", minute(last))));
    const made = element("table", "",
      element("thead", "", element("tr", "", ...head.map((word, at) => element("th", at > 2 && at < 9 ? "n" : "", word)))),
      element("tbody", "", ...lines));
    const cell = element("td", "", made);
    cell.colSpan = 8;
    if (row.more) cell.append(element("p", "more", `and ${number(row.more)} more`));
    return element("tr", "inside", cell);
  };

  const line = (row) => {
    const open = element("button", "open", row.name || "–");
    open.type = "button";
    open.setAttribute("aria-expanded", "false");
    const beside = (row.listed ? "owner " : "not in the caller book, from ") + (row.beside || "–");
    const made = element("tr", row.findings ? "finding" : "",
      element("td", "name", open, element("small", "", beside)),
      ...cells([row.reaches, row.sessions, row.accesses]),
      element("td", "n", (row.findings ? "▲ " : "") + number(row.findings)),
      ...cells([row.denied]),
      element("td", "t", minute(row.first)), element("td", "t", minute(row.last)));
    open.addEventListener("click", () => {
      const isOpen = open.getAttribute("aria-expanded") === "true";
      open.setAttribute("aria-expanded", String(!isOpen));
      if (isOpen) made.nextSibling.remove();
      else made.after(inside(row));
    });
    return made;
  };

  const draw = (from, size) => {
    const part = shown.slice(from, from + size);
    body.replaceChildren(...part.map(line));
    if (!part.length) {
      const none = element("td", "", "nobody");
      none.colSpan = 8;
      body.append(element("tr", "", none));
    }
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    get("shown").textContent = `${number(shown.length)} of ${number(rows.length)} callers`;
    get("page").textContent = `${number(page + 1)} of ${number(pages)}`;
    get("back").disabled = page === 0;
    get("on").disabled = page >= pages - 1;
    get("pages").hidden = pages === 1;
  };

  const wanted = (row) => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const only = kind.value;
    const fits = only === "" ? true
      : only === "findings" ? row.findings > 0
      : only === "unlisted" ? !row.listed
      : only === "denied" ? row.denied > 0
      : only === "0" ? row.counts[0] + row.counts[1] > 0
      : row.counts[Number(only)] > 0;
    return fits && (!cloud.value || row.clouds.includes(cloud.value)) && words.every((word) => row.text.includes(word));
  };

  const update = () => {
    shown = rows.filter(wanted);
    if (order) {
      const { by, sign } = order;
      const compare = by === "name" ? (a, b) => a.name.localeCompare(b.name)
        : (a, b) => (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : 0);
      shown.sort((a, b) => sign * compare(a, b));
    }
    page = 0;
    draw(0, PAGE);
  };

  for (const head of table.tHead.rows[0].cells) {
    const button = element("button", "", ...head.childNodes);
    button.type = "button";
    head.append(button);
    button.addEventListener("click", () => {
      const by = head.dataset.by;
      const first = by === "name" || by === "first" ? 1 : -1; // a name upwards, a number from the largest
      order = { by, sign: order && order.by === by ? -order.sign : first };
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order.sign > 0 ? "ascending" : "descending");
      update();
    });
  }
  const turn = (by) => () => {
    page += by;
    draw(page * PAGE, PAGE);
    table.scrollIntoView({ block: "nearest" });
  };
  get("back").addEventListener("click", turn(-1));
  get("on").addEventListener("click", turn(1));
  for (const control of [filter, kind, cloud]) control.addEventListener("input", update);
  get("controls").addEventListener("submit", (event) => event.preventDefault());
  get("controls").hidden = false;
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    draw(0, PRINTED);
  });
  addEventListener("afterprint", () => draw(page * PAGE, PAGE));
  update();
})();
