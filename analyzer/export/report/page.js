"use strict";
// The table of handshakes (sort, filter, pages) and opening ladders. Everything shown is set as text, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const { texts, columns } = data;
  const total = columns.stream.length;
  const drawn = new Set(data.drawn);
  const PAGE = 50;
  const chosen = data.chosen; // columns that were asked for, in place of the usual ones
  const TEXT = chosen.length
    ? chosen.filter((column) => column.look !== "number").map((column) => column.key)
    : ["client", "server", "address", "version", "outcome", "cause", "confidence", "ended_by", "summary", "capture"];
  const NUMBERS = chosen.length ? chosen.filter((column) => column.look === "number").map((column) => column.key) : ["stream"];
  const text = (name, row) => texts[columns[name][row]];
  const number = new Intl.NumberFormat("en");
  const body = byId("table").tBodies[0];
  let order = Array.from({ length: total }, (_, row) => row);
  let found = order;
  const mixed = new Set(columns.outcome).size > 1 && text("outcome", 0) === "failed";
  let page = 0;
  let sortedBy = "";
  let ascending = true;

  const moment = (row) => new Date(columns.began[row]).toISOString().replace("T", " ").slice(0, 23);

  function cell(parts, look, label) {
    const td = document.createElement("td");
    td.setAttribute("role", "cell"); // narrow pages lay the table out as blocks, which would cost it its meaning
    if (look) td.className = look;
    if (label) td.dataset.label = label;
    parts.forEach((part, place) => {
      if (place && part instanceof Node && part.dataset.line) td.append(document.createElement("br"));
      td.append(part);
    });
    return td;
  }

  function piece(tag, content, look, line) {
    const element = document.createElement(tag);
    element.textContent = content;
    if (look) element.className = look;
    if (line) element.dataset.line = "1";
    return element;
  }

  function ladder(row) {
    if (!drawn.has(columns.number[row])) return [];
    const link = piece("a", "ladder", "", true);
    link.href = "#l" + columns.number[row];
    link.setAttribute("aria-label", "ladder of stream " + columns.stream[row]);
    return [link];
  }

  function line(cells) {
    const tr = document.createElement("tr");
    tr.setAttribute("role", "row");
    tr.append(...cells);
    return tr;
  }

  function drawChosen(row) {
    const cells = chosen.map(({ key, name, look }) => {
      const value = look === "number" ? columns[key][row] : text(key, row);
      return cell(value === null ? [] : [String(value)], look, name);
    });
    return line(drawn.size ? [...cells, cell(ladder(row))] : cells);
  }

  function draw(row) {
    const why = [];
    if (text("cause", row)) {
      const ended = text("ended_by", row);
      why.push(piece("code", text("cause", row)), " ", piece("span", text("confidence", row) + (ended ? ", ended by " + ended : ""), "quiet"));
    }
    if (text("summary", row)) why.push(piece("span", text("summary", row), "quiet", true));
    if (data.several) why.push(piece("span", text("capture", row), "quiet path", true)); // streams are numbered anew in each capture
    why.push(...ladder(row));
    const ms = columns.milliseconds[row];
    return line([
      cell([String(columns.stream[row])], "number", "stream"),
      cell([moment(row)], "wide time"),
      cell([text("client", row)], "wide", "client"),
      cell([piece("span", text("server", row)), piece("span", text("address", row), "quiet", true)]),
      cell([text("version", row)], "wide"),
      cell([text("outcome", row)], text("outcome", row)),
      cell(why, "why"),
      ...(ms === null ? [cell([], "number wide")] : [cell([ms.toFixed(1)], "number wide", "ms")]),
    ]);
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(page, pages - 1);
    body.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(chosen.length ? drawChosen : draw));
    byId("shown").textContent = found.length === total
      ? number.format(total) + (total === 1 ? " attempt" : " attempts") + (sortedBy === "" && mixed ? ", those that failed first" : "")
      : number.format(found.length) + " of " + number.format(total) + " attempts";
    byId("page").textContent = "Page " + number.format(page + 1) + " of " + number.format(pages);
    byId("previous").disabled = page === 0;
    byId("next").disabled = page >= pages - 1;
    byId("pages").hidden = pages === 1;
  }

  function filter() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcome = byId("outcome").value;
    const cause = byId("cause").value;
    // each text is looked at once, however many rows share it
    const hits = words.map((word) => texts.map((known) => known.toLowerCase().includes(word)));
    found = order.filter((row) =>
      (!outcome || text("outcome", row) === outcome) &&
      (!cause || text("cause", row) === cause) &&
      hits.every((hit, place) =>
        TEXT.some((name) => hit[columns[name][row]]) || NUMBERS.some((name) => String(columns[name][row]) === words[place])));
    page = 0;
    show();
  }

  function sort(key, header) {
    ascending = sortedBy === key ? !ascending : true;
    sortedBy = key;
    const way = ascending ? 1 : -1;
    const values = columns[key];
    const isText = TEXT.includes(key);
    const rank = isText ? rankOf(texts) : null;
    order.sort((a, b) => {
      const x = isText ? rank[values[a]] : values[a];
      const y = isText ? rank[values[b]] : values[b];
      if (x === y) return a - b;
      if (x === null) return 1; // what is unknown comes last either way
      if (y === null) return -1;
      return x < y ? -way : way;
    });
    for (const other of byId("table").tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    filter();
  }

  let ranks = null;
  function rankOf(values) {
    if (!ranks) {
      const compare = new Intl.Collator("en", { numeric: true }).compare;
      ranks = new Array(values.length);
      values.map((value, place) => [value, place]).sort((a, b) => compare(a[0], b[0])).forEach((pair, rank) => {
        ranks[pair[1]] = pair[0] === "" ? null : rank;
      });
    }
    return ranks;
  }

  function choices(select, name) {
    const counts = new Map();
    for (const value of columns[name]) counts.set(value, (counts.get(value) || 0) + 1);
    [...counts].filter(([value]) => texts[value]).sort((a, b) => b[1] - a[1]).forEach(([value, count]) => {
      const option = piece("option", texts[value] + " (" + number.format(count) + ")");
      option.value = texts[value];
      select.append(option);
    });
  }

  function openTarget() {
    const match = /^#(l\d+)$/.exec(location.hash);
    const target = match && byId(match[1]);
    if (!target) return;
    target.open = true;
    target.scrollIntoView({ block: "start" });
    target.querySelector("summary").focus({ preventScroll: true });
  }

  for (const header of byId("table").tHead.rows[0].cells) {
    if (!header.dataset.key) continue; // the one of the links
    const button = piece("button", header.textContent);
    button.type = "button";
    button.addEventListener("click", () => sort(header.dataset.key, header));
    header.replaceChildren(button);
  }
  choices(byId("outcome"), "outcome");
  choices(byId("cause"), "cause");
  const form = byId("filters");
  form.hidden = false;
  let waiting = 0;
  byId("find").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
  byId("outcome").addEventListener("change", filter);
  byId("cause").addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter, 0));
  byId("previous").addEventListener("click", () => { page -= 1; show(); });
  byId("next").addEventListener("click", () => { page += 1; show(); });
  const openers = byId("openers");
  if (openers) {
    openers.hidden = false;
    const all = (open) => document.querySelectorAll("details.ladder-card").forEach((card) => { card.open = open; });
    byId("open-all").addEventListener("click", () => all(true));
    byId("close-all").addEventListener("click", () => all(false));
  }
  addEventListener("hashchange", openTarget);
  show();
  openTarget();
  document.documentElement.dataset.ready = "1";
})();
