// Asks the server what each drawing shows. No answer stands beside a drawing that it is not of.

const PEN = 40; // Pixels of the canvas, which has 560: as thick as in MNIST.

const main = document.querySelector("main");
const status = document.querySelector("[role=status]");
const seen = document.querySelector("img");
const file = document.querySelector("input");
const canvas = document.querySelector("canvas");
const context = canvas.getContext("2d");
const rows = Array.from({length: 10}, (_, digit) => {
  const row = document.querySelector("table").insertRow();
  row.innerHTML = `<th scope="row">${digit}</th><td><div class="bar"></div></td><td></td>`;
  return row;
});

let question = 0; // The number of the latest; what is answered to an earlier one is dropped.
let strokes = []; // The drawing, one Path2D a stroke,
let picture = null; // or an image that stands in its place.
let first = null; // Where the drawing began.
let last = null; // Where the pen was last; null while it is up.
let reach = 0; // How far the drawing goes from where it began.

function show(state, text, probabilities = [], best = null) {
  main.dataset.state = state;
  status.textContent = text;
  rows.forEach((row, digit) => {
    const share = digit in probabilities ? percent(probabilities[digit]) : "";
    row.className = digit === best ? "best" : "";
    row.lastChild.textContent = share;
    row.querySelector(".bar").style.setProperty("--length", share.replace(" ", ""));
  });
}

function percent(probability) {
  return `${(100 * probability).toFixed(1)} %`;
}

function paint() {
  context.clearRect(0, 0, canvas.width, canvas.height);
  Object.assign(context, {lineWidth: PEN, lineCap: "round", lineJoin: "round"});
  context.strokeStyle = getComputedStyle(canvas).color;
  strokes.forEach((stroke) => context.stroke(stroke));
  if (picture === null) return;
  const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  context.drawImage(picture, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
}

// Not toBlob: of two under way at once, Chromium 156 forgot one in 6 of 50 rounds.
function png() {
  return Uint8Array.from(atob(canvas.toDataURL("image/png").split(",")[1]), (byte) => byte.charCodeAt(0));
}

function clear() {
  question += 1;
  strokes = [];
  picture = first = last = null;
  reach = 0;
  paint();
  show("empty", "Nothing is drawn yet.");
}

async function ask(image) {
  const number = ++question;
  show("waiting", "Looking …");
  let reply, answer;
  try {
    reply = await fetch("classify", {method: "POST", body: image});
    answer = await reply.json();
  } catch {
    reply = null;
  }
  if (number !== question) return;
  if (reply === null) return show("gone", "The server is gone: run “make demo” again, then draw on.");
  if (!reply.ok) return show("refused", `No answer: ${answer.error}.`);
  const best = answer.probabilities.indexOf(Math.max(...answer.probabilities));
  seen.src = answer.seen;
  show("answer", `${best}, with ${percent(answer.probabilities[best])}`, answer.probabilities, best);
}

async function open(image) {
  if (!image) return;
  clear();
  ask(image);
  const number = question;
  const bitmap = await createImageBitmap(image).catch(() => null); // The server says what is wrong with it.
  if (number !== question) return;
  picture = bitmap;
  paint();
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  const scale = canvas.width / box.width;
  return {x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale};
}

canvas.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  if (picture !== null) clear();
  question += 1;
  show("waiting", "");
  canvas.setPointerCapture(event.pointerId);
  last = place(event);
  first ??= last;
  const stroke = new Path2D();
  stroke.moveTo(last.x, last.y);
  stroke.lineTo(last.x + 1, last.y); // A line of no length is not drawn; this is a dot.
  strokes.push(stroke);
  paint();
});

// A mouse or pen is read more often than the screen is painted; curves through the middles leave no corners.
canvas.addEventListener("pointermove", (event) => {
  if (last === null || !event.isPrimary) return;
  for (const step of event.getCoalescedEvents?.() ?? [event]) {
    const now = place(step);
    strokes.at(-1).quadraticCurveTo(last.x, last.y, (last.x + now.x) / 2, (last.y + now.y) / 2);
    reach = Math.max(reach, Math.hypot(now.x - first.x, now.y - first.y));
    last = now;
  }
  paint();
});

// Follows pointerup, and also where the system takes a touch away.
canvas.addEventListener("lostpointercapture", (event) => {
  if (last === null || !event.isPrimary) return;
  strokes.at(-1).lineTo(last.x, last.y);
  last = null;
  paint();
  if (reach < PEN) show("refused", "No answer: that is only a dot.");
  else ask(png());
});

document.querySelector("#clear").addEventListener("click", clear);
document.querySelector("#open").addEventListener("click", () => file.click());
document.addEventListener("keydown", (event) => event.key === "Escape" && clear());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

file.addEventListener("change", () => {
  open(file.files[0]);
  file.value = ""; // So that the same file can be opened again.
});
document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  open(event.dataTransfer.files[0]);
});

clear();
