// Every text from the server is set as textContent: a name is never markup.
const csrf = document.querySelector('meta[name="csrf"]').content;
const $ = (id) => document.getElementById(id);

let overview = { left: 0, proposed: 0, subjects: [] };
let subject = 0; // number of the subject on the page
let pictures = [];
let at = 0; // index in pictures
const done = []; // pictures decided here, for undo

function element(tag, text = "", ...classes) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.classList.add(...classes);
  return made;
}

async function ask(url, values) {
  const options = values && {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify(values),
  };
  let answer;
  try {
    answer = await fetch(url, options);
  } catch {
    throw new Error("The program that serves this page has ended. What was decided is kept; start it again.");
  }
  const text = await answer.text();
  if (!answer.ok) {
    let message = text;
    try { message = JSON.parse(text).message; } catch { /* plain text */ }
    throw new Error(message);
  }
  return JSON.parse(text);
}

// One request after the other, so that fast typing keeps its order.
let queue = Promise.resolve();
let waiting = 0;
function inTurn(act) {
  waiting += 1;
  document.body.dataset.busy = "yes";
  queue = queue.then(act).catch((error) => say(error.message)).finally(() => {
    waiting -= 1;
    if (!waiting) document.body.dataset.busy = "no";
  });
}

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

function frame(picture, size) {
  const box = element("div", "", "frame");
  const image = document.createElement("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = "";
  image.src = `pictures/${picture}/${size}`;
  image.addEventListener("error", () => { box.textContent = "cannot be read"; });
  box.append(image);
  return box;
}

const percent = (score) => `${(100 * score).toFixed(0)}\u00a0%`;
const verb = (p) => (p.action === "move" ? `move to ${p.to_name}` : p.action === "review" ? "look at" : "remove");
const word = (d) => (d.choice === "move" ? `moved to ${d.to}` : d.choice === "remove" ? "removed" : "kept");

function card(picture, index) {
  const figure = element("figure");
  figure.setAttribute("role", "option");
  figure.id = `picture-${picture.picture}`;
  figure.append(frame(picture.picture, "small"), element("figcaption"));
  figure.addEventListener("click", () => choose(index));
  return figure;
}

function paint(index) {
  const picture = pictures[index];
  const figure = $("grid").children[index];
  figure.className = picture.decision ? picture.decision.choice : picture.proposals.length ? "proposed" : "";
  figure.setAttribute("aria-selected", String(index === at));
  const caption = figure.querySelector("figcaption");
  caption.replaceChildren(element("div", picture.file, "path"));
  if (picture.decision) {
    const automatic = picture.decision.by === "auto" ? " (automatic)" : "";
    caption.append(element("div", word(picture.decision) + automatic, "state", picture.decision.choice));
  } else if (picture.proposals.length) {
    const [first] = picture.proposals;
    caption.append(element("div", `${first.reason} ${percent(first.score)}`, "finding"));
  }
}

function paintDetail() {
  const picture = pictures[at];
  $("large").replaceChildren();
  $("findings").replaceChildren();
  $("name").textContent = picture ? picture.name : "";
  if (!picture) return;
  $("large").append(frame(picture.picture, "large"));
  if (picture.decision) {
    $("findings").append(element("p", `Decided: ${word(picture.decision)}`, "state", picture.decision.choice));
  }
  for (const p of picture.proposals) {
    const part = element("div", "", "proposal");
    part.append(element("p", `${verb(p)}: ${p.reason}, ${percent(p.score)} sure`, "state"), element("p", p.detail, "muted"));
    if (p.of === null && p.like.length) part.append(element("p", `${p.to_name} looks like this`, "muted"));
    const likeness = element("div", "", "likeness");
    for (const n of p.of === null ? p.like : [p.of]) likeness.append(frame(n, "small"));
    part.append(likeness);
    $("findings").append(part);
  }
  if (!picture.proposals.length) $("findings").append(element("p", "Nothing is proposed for this picture.", "muted"));
}

function paintCounts() {
  const here = overview.subjects[subject];
  $("left").textContent = overview.left === 0 ? "nothing left to decide" : `${overview.left} left to decide`;
  $("bar").max = Math.max(1, overview.proposed);
  $("bar").value = overview.proposed ? overview.proposed - overview.left : 1;
  $("subject").textContent = here ? here.name : "";
  $("subject-left").textContent = here
    ? `${here.pictures} pictures, ${here.left ? `${here.left} left here` : "nothing left here: n for the next subject"}`
    : "";
  const list = $("subjects");
  if (list.children.length !== overview.subjects.length) {
    list.replaceChildren(...overview.subjects.map((s, n) => {
      const option = element("option");
      option.value = n;
      option.hidden = s.pictures === 0;
      return option;
    }));
  }
  overview.subjects.forEach((s, n) => {
    const text = s.left ? `${s.name} (${s.left} left)` : s.name;
    if (list.children[n].textContent !== text) list.children[n].textContent = text;
  });
  list.value = subject;
}

function choose(index) {
  if (!pictures.length) { paintDetail(); return; }
  const before = at;
  at = Math.max(0, Math.min(pictures.length - 1, index));
  if (before < pictures.length) paint(before);
  paint(at);
  $("grid").children[at].scrollIntoView({ block: "nearest" });
  $("grid").setAttribute("aria-activedescendant", $("grid").children[at].id);
  paintDetail();
}

async function show(number, picture = null) {
  const found = await ask(`api/subjects/${number}`);
  subject = found.subject;
  pictures = found.pictures;
  $("grid").replaceChildren(...pictures.map(card));
  const open = pictures.findIndex((p) => p.proposals.length && !p.decision);
  at = picture === null ? Math.max(0, open) : Math.max(0, pictures.findIndex((p) => p.picture === picture));
  pictures.forEach((_, index) => paint(index));
  paintCounts();
  choose(at);
  if (at === 0) window.scrollTo(0, 0);
}

// What another page or process decided meanwhile shows when this page is looked at again.
async function refresh() {
  overview = await ask("api/overview");
  if (!pictures.length) return;
  const found = await ask(`api/subjects/${subject}`);
  pictures = found.pictures;
  pictures.forEach((_, index) => paint(index));
  paintCounts();
  paintDetail();
}

function taken(answer) {
  overview.left = answer.left;
  overview.subjects[answer.subject].left = answer.subject_left;
  const index = pictures.findIndex((p) => p.picture === answer.picture);
  if (index >= 0) {
    pictures[index].decision = answer.decision;
    paint(index);
  }
  paintCounts();
}

async function decide(values) {
  const decided = pictures[at];
  if (!decided || $("move").open) return;
  say("");
  const answer = await ask("api/decisions", { picture: decided.picture, ...values });
  done.push(decided.picture);
  if (values.to_new !== undefined) overview = await ask("api/overview");
  taken(answer);
  const open = (p) => p.proposals.length && !p.decision;
  let next = at + 1;
  if (decided.proposals.length) {
    const after = pictures.findIndex((p, index) => index > at && open(p));
    next = after >= 0 ? after : pictures.findIndex(open);
    if (next < 0) next = at;
  }
  choose(next);
}

async function accept() {
  const first = pictures[at]?.proposals.find((p) => p.action !== "review");
  if (!first) { say("There is no proposal to accept here; keep, remove or move it."); return; }
  await decide(first.action === "move" ? { choice: "move", to: first.to } : { choice: "remove" });
}

async function undo() {
  say("");
  const last = done.pop();
  const answer = await ask("api/undo", last === undefined ? {} : { picture: last });
  if (answer.picture === null) { say("There is nothing to undo."); return; }
  if (answer.subject !== subject) await show(answer.subject, answer.picture);
  taken(answer);
  choose(pictures.findIndex((p) => p.picture === answer.picture));
}

async function step(direction) {
  const count = overview.subjects.length;
  const order = [...Array(count).keys()].slice(1).map((k) => (subject + direction * k + count * k) % count);
  const all = order.filter((n) => overview.subjects[n].pictures);
  const open = all.filter((n) => overview.subjects[n].left);
  const next = direction > 0 ? open[0] ?? all[0] : all[0];
  if (next !== undefined) await show(next);
}

function columns() {
  return getComputedStyle($("grid")).gridTemplateColumns.split(" ").length;
}

// Moving: a list that narrows while one types; a name that is not there becomes a new subject.
let options = [];
let marked = 0;
function openMove() {
  if (!pictures[at]) return;
  $("move-text").value = "";
  fillMove();
  $("move").showModal();
  $("move-text").focus();
}

function fillMove() {
  const text = $("move-text").value;
  const wanted = text.toLocaleLowerCase();
  const proposed = pictures[at].proposals.map((p) => p.to).filter((n) => n !== null);
  const fitting = overview.subjects
    .map((s, n) => ({ label: s.name, values: { to: n } }))
    .filter((o) => o.values.to !== subject && o.label !== "(no subject)" && o.label.toLocaleLowerCase().includes(wanted));
  const rank = (o) => (proposed.includes(o.values.to) ? 0 : o.label === text ? 1 : 2);
  fitting.sort((a, b) => rank(a) - rank(b));
  options = fitting.slice(0, 50);
  if (text && !overview.subjects.some((s) => s.name === text)) {
    options.push({ label: `new subject: ${text}`, values: { to_new: text } });
  }
  mark(0);
}

function mark(index) {
  marked = Math.max(0, Math.min(options.length - 1, index));
  $("move-list").replaceChildren(...options.map((o, n) => {
    const item = element("li", o.label);
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(n === marked));
    item.addEventListener("click", () => takeMove(n));
    return item;
  }));
  $("move-list").children[marked]?.scrollIntoView({ block: "nearest" });
}

function takeMove(index) {
  const option = options[index];
  if (!option) return;
  $("move").close();
  inTurn(() => decide({ choice: "move", ...option.values }));
}

$("move-text").addEventListener("input", fillMove);
$("move").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") mark(marked + 1);
  else if (event.key === "ArrowUp") mark(marked - 1);
  else if (event.key === "Enter") takeMove(marked);
  else return;
  event.preventDefault();
});

const acts = {
  accept: () => inTurn(accept),
  keep: () => inTurn(() => decide({ choice: "keep" })),
  remove: () => inTurn(() => decide({ choice: "remove" })),
  move: () => inTurn(openMove),
  undo: () => inTurn(undo),
  next: () => inTurn(() => step(1)),
  previous: () => inTurn(() => step(-1)),
  left: () => inTurn(() => choose(at - 1)),
  right: () => inTurn(() => choose(at + 1)),
  up: () => inTurn(() => choose(at - columns())),
  down: () => inTurn(() => choose(at + columns())),
};
const keys = {
  a: "accept", k: "keep", x: "remove", m: "move", u: "undo", n: "next", p: "previous",
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
};

document.addEventListener("keydown", (event) => {
  const act = keys[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey || $("move").open) return;
  if (["SELECT", "INPUT"].includes(event.target.tagName)) return;
  // A key held down moves on, but never decides twice.
  if (event.repeat && !event.key.startsWith("Arrow")) return;
  event.preventDefault();
  acts[act]();
});
document.querySelectorAll("[data-act]").forEach((button) => {
  button.addEventListener("click", () => { acts[button.dataset.act](); button.blur(); });
});
$("subjects").addEventListener("change", (event) => {
  event.target.blur();
  inTurn(() => show(Number(event.target.value)));
});
window.addEventListener("focus", () => inTurn(refresh));

inTurn(async () => {
  overview = await ask("api/overview");
  const first = overview.subjects.findIndex((s) => s.left);
  await show(Math.max(0, first));
});
