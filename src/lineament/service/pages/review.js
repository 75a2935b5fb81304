// Every text from the server is set as textContent: a name is never markup.
const csrf = document.querySelector('meta[name="csrf"]').content;
const $ = (id) => document.getElementById(id);

let overview = { left: 0, proposed: 0, decided: {}, commands: [], subjects: [] };
let subject = 0; // number of the subject on the page
let pictures = [];
let at = 0; // index in pictures
const ACCEPTED = "accepted"; // stands in done for all that were accepted above a value
const done = []; // pictures decided here, for undo
let ended = false; // the command on the other side

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
    if (p.of !== null) part.append(element("p", `the same picture under ${p.of_name}`, "muted"));
    const likeness = element("div", "", "likeness");
    for (const n of p.of === null ? p.like : [p.of]) likeness.append(frame(n, "small"));
    part.append(likeness);
    $("findings").append(part);
  }
  if (!picture.proposals.length) $("findings").append(element("p", "Nothing is proposed for this picture.", "muted"));
}

function paintCounts() {
  const here = overview.subjects[subject];
  const open = overview.subjects.filter((s) => s.left).length;
  const people = open === 1 ? "1 person" : `${open} people`;
  $("left").textContent = overview.left === 0
    ? "nothing left to decide"
    : `${overview.left} left to decide of ${overview.proposed}, in ${people}`;
  $("bar").max = Math.max(1, overview.proposed);
  $("bar").value = overview.proposed ? overview.proposed - overview.left : 1;
  $("subject").textContent = here ? here.name : "";
  $("stored").textContent = here?.stored ? `stored as ${here.stored}; ` : "";
  $("stored").hidden = !here?.stored;
  const after = following();
  const next = after === undefined ? "" : `${overview.subjects[after].name} (${overview.subjects[after].left} left)`;
  const count = here && (here.pictures === 1 ? "1 picture" : `${here.pictures} pictures`);
  const what = here && (here.left ? `${here.left} left here` : next ? `nothing left here, next: ${next}` : "nothing left here");
  $("subject-left").textContent = here ? `${count}, ${what}` : "";
  $("next-name").textContent = next ? `: ${next}` : "";
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
  paintDone();
}

// What stands, what comes next, and when the command ends by itself.
let endsAt = null;
function state(answer) {
  overview.left = answer.left;
  overview.decided = answer.decided;
  overview.commands = answer.commands;
  endsAt = answer.ends_in === null ? null : performance.now() + 1000 * answer.ends_in;
}

function paintDone() {
  $("above").hidden = overview.left === 0;
  const over = ended || (overview.left === 0 && overview.proposed > 0);
  $("done").hidden = !over;
  if (!over) return;
  const { keep, remove, move } = overview.decided;
  $("done-what").textContent = `Decided: ${keep} kept, ${remove} removed, ${move} moved.`;
  if ([...$("commands").children].map((item) => item.textContent).join("\n") !== overview.commands.join("\n")) {
    $("commands").replaceChildren(...overview.commands.map((c) => {
      const item = element("li");
      item.append(element("code", c));
      return item;
    }));
  }
  $("done-buttons").hidden = ended;
  $("done-title").textContent = ended
    ? "Finished: every decision is kept, and this page can be closed"
    : "Nothing is left to decide";
  const seconds = endsAt === null ? null : Math.max(0, Math.ceil((endsAt - performance.now()) / 1000));
  $("countdown").textContent = seconds === null ? "" : `ends by itself in ${seconds} s; u takes the last one back`;
  $("stay").hidden = seconds === null;
}

function end() {
  ended = true;
  endsAt = null;
  document.body.dataset.ended = "yes";
  document.querySelectorAll("[data-act]").forEach((button) => { button.disabled = true; });
  say("");
  paintDone();
}

setInterval(() => {
  if (endsAt === null || ended) return;
  if (performance.now() >= endsAt) end();
  else paintDone();
}, 500);

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
async function load() {
  overview = await ask("api/overview");
  state(overview);
}

async function refresh() {
  if (ended) return;
  await load();
  paintCounts();
  await paintAbove();
  if (!pictures.length) return;
  const found = await ask(`api/subjects/${subject}`);
  pictures = found.pictures;
  pictures.forEach((_, index) => paint(index));
  paintCounts();
  paintDetail();
}

function taken(answer) {
  state(answer);
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
  if (values.to_new !== undefined) await load();
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
  if (last === ACCEPTED) {
    const back = await ask("api/undo", { accepted: true });
    await refresh();
    say(`${back.taken_back} taken back.`);
    return;
  }
  const answer = await ask("api/undo", last === undefined ? {} : { picture: last });
  if (answer.picture === null) { say("There is nothing to undo."); return; }
  if (answer.subject !== subject) await show(answer.subject, answer.picture);
  taken(answer);
  choose(pictures.findIndex((p) => p.picture === answer.picture));
}

// The other subjects in order, from the one on the page on.
function others(direction) {
  const count = overview.subjects.length;
  const order = [...Array(count).keys()].slice(1).map((k) => (subject + direction * k + count * k) % count);
  return order.filter((n) => overview.subjects[n].pictures);
}

const following = () => others(1).find((n) => overview.subjects[n].left);

async function step(direction) {
  const all = others(direction);
  const next = direction > 0 ? following() ?? all[0] : all[0];
  if (next !== undefined) await show(next);
}

// Accepting all above a value: the number is asked for while one slides, so that nobody accepts blindly.
const percentFrom = () => Number($("from-number").value);
async function paintAbove() {
  if (!$("above").open) return;
  const value = percentFrom();
  if (!(value > 0 && value <= 100)) {
    $("accept-above").disabled = true;
    $("above-left").textContent = "a number up to 100";
    return;
  }
  const { count } = await ask(`api/acceptable/${value}`);
  if (value !== percentFrom()) return;
  $("accept-above").disabled = count === 0;
  $("accept-above").textContent = `accept ${count}`;
  $("above-left").textContent = `${overview.left - count} would be left to you`;
}

async function acceptAbove() {
  say("");
  const answer = await ask("api/accept", { from: percentFrom() / 100 });
  done.push(ACCEPTED);
  await refresh();
  say(answer.accepted === 1 ? "1 proposal accepted; u takes it back." : `${answer.accepted} proposals accepted; u takes them back.`);
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
  if (ended || ["SELECT", "INPUT"].includes(event.target.tagName)) return;
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

for (const [mine, other] of [["from", "from-number"], ["from-number", "from"]]) {
  $(mine).addEventListener("input", () => {
    $(other).value = $(mine).value;
    inTurn(paintAbove);
  });
}
$("above").addEventListener("toggle", () => inTurn(paintAbove));
$("accept-above").addEventListener("click", (event) => {
  event.target.blur();
  inTurn(acceptAbove);
});
$("finish").addEventListener("click", () => inTurn(async () => {
  state(await ask("api/finish", {}));
  end();
}));
$("stay").addEventListener("click", () => inTurn(async () => {
  state(await ask("api/stay", {}));
  paintDone();
}));

inTurn(async () => {
  await load();
  const first = overview.subjects.findIndex((s) => s.left);
  await show(Math.max(0, first));
});
