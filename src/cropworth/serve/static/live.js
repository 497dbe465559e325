// Keeps the page up to date: asks for it again, and puts in the parts that have changed.
// Asking every two seconds, and not a stream: it passes every proxy, and a closed tab leaves nothing open behind it.
const EVERY_MS = 2000;
const SILENT = "The server does not answer. The page shows what was last known.";
let tag = "";

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** What is wrong, in words; empty where nothing is. */
async function refresh() {
  const headers = tag ? { "If-None-Match": tag } : {};
  const answer = await fetch(location.href, { cache: "no-store", headers });
  if (answer.status === 304) return "";
  if (!answer.ok) return `The server refuses the page now (${answer.status}). It shows what was last known.`;
  tag = answer.headers.get("ETag") ?? "";
  show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  return "";
}

/** Only what differs is replaced, so that a reader's place, selection and focus stay where they can. */
function show(newer) {
  document.title = newer.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = newer.getElementById(part.id);
    if (now === null || now.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    part.replaceChildren(...now.childNodes);
    part.querySelectorAll(".scroll").forEach((one, i) => (one.scrollLeft = scrolled[i] ?? 0));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

function say(problem) {
  const silent = document.getElementById("silent");
  silent.textContent = problem;
  silent.hidden = problem === "";
}

async function keepUp() {
  for (;;) {
    await sleep(EVERY_MS);
    if (!document.hidden) say(await refresh().catch(() => SILENT));
  }
}

keepUp();
