// From pixels to tokens, drawn in the browser: `props.value` is JSON with the picture and the steps, see tabs/patches.
// `element`, `props`, `trigger`, `watch` come from Gradio. A click on a patch triggers 'pick' with { row, col }.
const SECONDS = 2.2; // a step takes
const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
let data = null, picture = null, numbers = null; // what is drawn
let time = 0, playing = null, shift = 0, moved = false, chosen = null, dragged = null;

const part = (name) => element.querySelector('.pg-' + name);
const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
const clamp = (x, a, b) => Math.min(b, Math.max(a, x));
const ease = (x) => (x <= 0 ? 0 : x >= 1 ? 1 : x * x * (3 - 2 * x));
const image = (source) => new Promise((done) => { const made = new Image(); made.onload = () => done(made); made.src = source; });

// Where things stand for a canvas this wide.
const plan = (width) => {
  const high = clamp(width * 0.52, 190, 330), scale = Math.min(high, width / data.aspect);
  const w = scale * data.aspect, side = clamp(width / 20, 22, 36);
  const below = data.row ? side + 92 : 0; // room for the row of tokens; before it comes the picture stands in the middle
  const lens = data.steps.findIndex((s) => s.window && !s.cut), aside = lens < 0 ? 0 : clamp(time - lens + 1, 0, 1) * clamp(lens + 1 - time, 0, 1);
  return { w, h: scale, x: ((width - w) / 2) * (1 - ease(aside * 3)), y: 4 + below * (1 - ease(reached('row'))) / 2, side, gap: 4,
    row: scale + 22, column: data.row ? 78 : 0, height: scale + 22 + below };
};
const size = () => {
  const canvas = part('scene');
  const width = canvas.clientWidth, { height } = plan(width), ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = height + 'px';
  }
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return [pen, width];
};

const reached = (kind) => { // how far the step of this kind has come, 0 to 1
  const place = data.steps.findIndex((step) => step.kind === kind);
  return place < 0 ? 0 : clamp(time - place + 1, 0, 1);
};
const grids = () => data.steps.map((step, i) => ({ ...step, seen: clamp(1 - Math.abs(time - i), 0, 1), place: i })).filter((s) => s.kind === 'grid');

const crop = (pen, rows, cols, index, x, y, w, h) => {
  const r = Math.floor(index / cols), c = index % cols, pw = picture.width / cols, ph = picture.height / rows;
  pen.drawImage(picture, c * pw, r * ph, pw, ph, x, y, w, h);
};

const lattice = (pen, at, rows, cols, alpha) => {
  if (alpha <= 0.01 || at.w / cols < 2.5) return;
  pen.globalAlpha = alpha * 0.85;
  pen.strokeStyle = 'white';
  pen.lineWidth = at.w / cols < 8 ? 0.5 : 1;
  pen.beginPath();
  for (let i = 0; i <= cols; i++) { pen.moveTo(at.x + (i * at.w) / cols, at.y); pen.lineTo(at.x + (i * at.w) / cols, at.y + at.h); }
  for (let i = 0; i <= rows; i++) { pen.moveTo(at.x, at.y + (i * at.h) / rows); pen.lineTo(at.x + at.w, at.y + (i * at.h) / rows); }
  pen.stroke();
  pen.globalAlpha = 1;
};

// The first convolution with a window that overlaps: a corner enlarged, the window moving, its outputs filling up.
const lens = (pen, at, width, step) => {
  const seen = clamp(time - step.place + 1, 0, 1) * clamp(step.place + 1 - time, 0, 1);
  if (seen <= 0.02) return;
  const { kernel, stride, padding, size: [rows, cols] } = step.window;
  const across = 4, span = kernel[1] + stride[1] * (across - 1);
  const box = Math.min(at.h, width - at.w - 24);
  if (box < 60) return;
  const cell = box / span, x0 = width - box, y0 = at.y;
  const col = clamp(chosen[1], 0, step.cols - across), row = clamp(chosen[0], 0, step.rows - across);
  const left = col * stride[1] - padding[2], top = row * stride[0] - padding[0];
  pen.globalAlpha = clamp(seen * 2, 0, 1);
  pen.imageSmoothingEnabled = false;
  pen.fillStyle = '#8A94A6';
  pen.fillRect(x0, y0, box, box);
  const fx = picture.width / cols, fy = picture.height / rows;
  const l = Math.max(0, left), t = Math.max(0, top), r = Math.min(cols, left + span), b = Math.min(rows, top + span);
  pen.drawImage(picture, l * fx, t * fy, (r - l) * fx, (b - t) * fy, x0 + (l - left) * cell, y0 + (t - top) * cell, (r - l) * cell, (b - t) * cell);
  pen.imageSmoothingEnabled = true;
  pen.strokeStyle = 'rgba(255,255,255,.35)';
  pen.lineWidth = 0.5;
  pen.beginPath();
  for (let i = 0; i <= span; i++) { pen.moveTo(x0 + i * cell, y0); pen.lineTo(x0 + i * cell, y0 + box); pen.moveTo(x0, y0 + i * cell); pen.lineTo(x0 + box, y0 + i * cell); }
  pen.stroke();
  const now = Math.min(across * across - 1, Math.floor(clamp(time - step.place + 1, 0, 0.999) * across * across));
  for (let i = 0; i <= now; i++) {
    pen.strokeStyle = i === now ? '#FF3D7F' : 'rgba(255,255,255,.55)';
    pen.lineWidth = i === now ? 3 : 1.5;
    pen.strokeRect(x0 + (i % across) * stride[1] * cell, y0 + Math.floor(i / across) * stride[0] * cell, kernel[1] * cell, kernel[0] * cell);
  }
  pen.strokeStyle = '#FF3D7F';
  pen.lineWidth = 2;
  const px = at.w / cols, py = at.h / rows;
  pen.strokeRect(at.x + left * px, at.y + top * py, Math.max(4, span * px), Math.max(4, span * py));
  pen.globalAlpha = 1;
};

const mark = (pen, at) => {
  if (!chosen || reached('row') > 0.05) return;
  const w = at.w / data.pick.cols, h = at.h / data.pick.rows, wide = Math.max(w, 8), high = Math.max(h, 8);
  const x = at.x + (chosen[1] + 0.5) * w - wide / 2, y = at.y + (chosen[0] + 0.5) * h - high / 2;
  pen.strokeStyle = 'white';
  pen.lineWidth = 5;
  pen.strokeRect(x, y, wide, high);
  pen.strokeStyle = '#FF3D7F';
  pen.lineWidth = 2.5;
  pen.strokeRect(x, y, wide, high);
};

// Tokens in a row: slots scroll, patches come from the grid, numbers grow below them.
const slots = (at, width) => {
  const { rows, cols } = data.row, before = data.prefix.length * ease(reached('prefix')), step = at.side + at.gap;
  const room = Math.floor(width / step), most = Math.max(0, rows * cols + before - room);
  shift = clamp(shift, 0, most);
  const from = moved ? shift : shift * (1 - ease(reached('prefix'))); // what comes before the patches is to be seen
  return { step, before, from, first: Math.max(0, Math.floor(from - before) - 1), last: Math.min(rows * cols, Math.ceil(from + room - before) + 1) };
};
const tokens = (pen, at, width) => {
  const come = reached('row');
  if (!data.row || come <= 0) return;
  const { rows, cols } = data.row, count = rows * cols, { step, before, from, first, last } = slots(at, width);
  const w = at.w / cols, h = at.h / rows;
  const chosenToken = data.pick.rows === rows && data.pick.cols === cols ? chosen[0] * cols + chosen[1] : -1;
  for (let i = 0; i < count; i++) {
    const near = i >= first && i < last;
    const f = ease((come * 1.6 - (i / count) * 0.6) / 0.75);
    if (!near && f >= 1) continue;
    const gx = at.x + (i % cols) * w + w * 0.06, gy = at.y + Math.floor(i / cols) * h + h * 0.06;
    const tx = (i + before - from) * step, x = gx + (clamp(tx, -at.side, width) - gx) * f, y = gy + (at.row - gy) * f;
    pen.globalAlpha = near ? 1 : 1 - f;
    crop(pen, rows, cols, i, x, y, w * 0.88 + (at.side - w * 0.88) * f, h * 0.88 + (at.side - h * 0.88) * f);
    pen.globalAlpha = 1;
    const grown = ease((come * 1.6 - (i / count) * 0.6 - 0.75) / 0.25);
    if (near && grown > 0 && numbers) {
      pen.imageSmoothingEnabled = false;
      pen.drawImage(numbers, i, 0, 1, numbers.height, x, at.row + at.side + 5, at.side, at.column * grown);
      pen.imageSmoothingEnabled = true;
    }
    if (near && i === chosenToken && f > 0.9) {
      pen.strokeStyle = '#FF3D7F';
      pen.lineWidth = 2.5;
      pen.strokeRect(x, at.row, at.side, at.side);
    }
  }
  data.prefix.forEach((name, i) => {
    const f = ease(reached('prefix')), x = (i - from - (1 - f) * data.prefix.length) * step;
    if (f <= 0 || x < -step || x > width) return;
    pen.fillStyle = '#E69F00';
    pen.fillRect(x, at.row, at.side, at.side);
    pen.fillRect(x, at.row + at.side + 5, at.side, at.column);
    pen.fillStyle = '#11151C';
    pen.font = '600 11px system-ui, sans-serif';
    pen.save();
    pen.translate(x + at.side / 2 + 4, at.row + at.side + at.column);
    pen.rotate(-Math.PI / 2);
    pen.fillText(name, 0, 0, at.column - 8);
    pen.restore();
  });
};

const scene = () => {
  if (!data || !picture || !part('scene') || !part('scene').clientWidth) return;
  const [pen, width] = size(), at = plan(width), row = reached('row'), cut = data.steps.find((s) => s.cut);
  const opened = cut ? ease(clamp(time - data.steps.indexOf(cut) + 1, 0, 1)) : 0;
  if (opened > 0 && !(row > 0)) {
    const w = at.w / cut.cols, h = at.h / cut.rows, scale = 1 - 0.12 * opened;
    for (let i = 0; i < cut.rows * cut.cols; i++)
      crop(pen, cut.rows, cut.cols, i, at.x + (i % cut.cols) * w + (w * (1 - scale)) / 2, at.y + Math.floor(i / cut.cols) * h + (h * (1 - scale)) / 2, w * scale, h * scale);
  } else {
    pen.globalAlpha = 1 - 0.78 * ease(row);
    pen.drawImage(picture, at.x, at.y, at.w, at.h);
    pen.globalAlpha = 1;
  }
  for (const step of grids()) {
    if (!step.cut) lattice(pen, at, step.rows, step.cols, step.seen * (1 - row));
    if (step.window && !step.cut) lens(pen, at, width, step);
  }
  if (at.w / data.pick.cols >= 6) lattice(pen, at, data.pick.rows, data.pick.cols, 0.4 * clamp(1 - time, 0, 1)); // what can be clicked
  mark(pen, at);
  tokens(pen, at, width);
  const now = Math.round(time);
  part('time').value = time;
  element.querySelectorAll('.pg-step').forEach((button, i) => {
    button.classList.toggle('selected', i === now);
    button.setAttribute('aria-current', i === now ? 'step' : 'false');
  });
  if (part('said').textContent !== data.steps[now].said) part('said').textContent = data.steps[now].said;
};

const stop = () => {
  if (playing) cancelAnimationFrame(playing);
  playing = null;
  if (part('play')) { part('play').textContent = '▶'; part('play').setAttribute('aria-label', data ? data.words.play : ''); }
};
const play = () => {
  if (time >= data.steps.length - 1) time = 0;
  part('play').textContent = '❚❚';
  part('play').setAttribute('aria-label', data.words.pause);
  let last = performance.now();
  const run = (now) => {
    if (!element.isConnected) return stop();
    time = Math.min(data.steps.length - 1, time + (now - last) / 1000 / SECONDS);
    last = now;
    scene();
    if (time >= data.steps.length - 1) return stop();
    playing = requestAnimationFrame(run);
  };
  playing = requestAnimationFrame(run);
};
const go = (goal) => { // to a step, in motion where motion is welcome
  stop();
  if (still) { time = goal; return scene(); }
  const start = time, began = performance.now(), long = 500 * Math.max(1, Math.abs(goal - start));
  const run = (now) => {
    const f = clamp((now - began) / long, 0, 1);
    time = start + (goal - start) * ease(f);
    scene();
    playing = f < 1 && element.isConnected ? requestAnimationFrame(run) : null;
  };
  playing = requestAnimationFrame(run);
};

const show = () => { // the chosen token stands in the row's visible part
  if (!data.row || !chosen || data.pick.rows !== data.row.rows) return;
  const width = part('scene').clientWidth, at = plan(width), room = width / (at.side + at.gap);
  const place = chosen[0] * data.row.cols + chosen[1] + data.prefix.length;
  if (place < shift || place > shift + room - 1) [shift, moved] = [place - room / 2, true];
};
const choose = (row, col, tell) => {
  if (!data || !(row >= 0 && row < data.pick.rows && col >= 0 && col < data.pick.cols)) return;
  chosen = [row, col];
  show();
  scene();
  if (tell) trigger('pick', { row, col });
};
const under = (event) => {
  const box = part('scene').getBoundingClientRect(), at = plan(box.width), x = event.clientX - box.left, y = event.clientY - box.top;
  if (x >= at.x && x < at.x + at.w && y >= at.y && y < at.y + at.h)
    return [Math.floor(((y - at.y) / at.h) * data.pick.rows), Math.floor(((x - at.x) / at.w) * data.pick.cols)];
  if (!data.row || y < at.row || reached('row') < 0.9 || data.pick.rows !== data.row.rows) return null;
  const { step, before, from } = slots(at, box.width), index = Math.floor(x / step + from - before);
  return index >= 0 && index < data.row.rows * data.row.cols ? [Math.floor(index / data.row.cols), index % data.row.cols] : null;
};

const listen = () => {
  const canvas = part('scene');
  if (!canvas || canvas.dataset.heard) return;
  canvas.dataset.heard = '1';
  canvas.addEventListener('pointerdown', (event) => { dragged = { x: event.clientX, shift: data && data.row ? slots(plan(canvas.clientWidth), canvas.clientWidth).from : 0, moved: false }; });
  canvas.addEventListener('pointermove', (event) => {
    if (!dragged || !data) return;
    const away = event.clientX - dragged.x;
    if (Math.abs(away) > 5) dragged.moved = true;
    if (dragged.moved && reached('row') > 0.9) { const at = plan(canvas.clientWidth); moved = true; shift = dragged.shift - away / (at.side + at.gap); scene(); }
  });
  canvas.addEventListener('pointerup', (event) => {
    const place = dragged && !dragged.moved && data ? under(event) : null;
    dragged = null;
    if (place) choose(place[0], place[1], true);
  });
  canvas.addEventListener('pointercancel', () => { dragged = null; });
  part('play').addEventListener('click', () => (playing ? stop() : play()));
  part('time').addEventListener('input', (event) => { stop(); time = Number(event.target.value); scene(); });
  new ResizeObserver(scene).observe(canvas);
};

const begin = async () => {
  stop();
  if (!props.value) return;
  const given = JSON.parse(props.value);
  const [seen, vector] = await Promise.all([image(given.picture), given.numbers ? image(given.numbers) : null]);
  [data, picture, numbers, time, shift, chosen, moved] = [given, seen, vector, 0, 0, given.pick.chosen, false];
  listen();
  part('time').max = data.steps.length - 1;
  part('time').setAttribute('aria-label', data.words.steps);
  part('scene').setAttribute('aria-label', data.words.alt);
  const list = part('steps');
  list.replaceChildren(...data.steps.map((step, i) => {
    const button = document.createElement('button'), name = document.createElement('span'), shape = document.createElement('b');
    button.type = 'button';
    button.className = 'pg-step';
    name.textContent = step.name;
    shape.textContent = step.shape;
    button.append(name, shape);
    button.addEventListener('click', () => go(i));
    return button;
  }));
  stop();
  show();
  moved = false;
  scene();
};

window.addEventListener('pg-patch', (event) => { const [row, col] = event.detail; if (chosen && element.isConnected) choose(row, col, false); });
new MutationObserver(scene).observe(document.body, { attributes: true, attributeFilter: ['class'] });
begin();
watch('value', begin);
