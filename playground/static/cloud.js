// Tokens as a cloud of their own patches, drawn on a canvas: `props.value` is JSON, see tabs/patches.
// One picture is the sprite of all patches. Layers play here; dragging turns the cloud; no server is asked.
const PAUSE = 900, GLIDE = 520; // milliseconds
const DEPTH = 0.2; // how much nearer the front looks; points lie within a ball of radius 1, so the outline grows by 2 % only
const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
let data = null, sprite = null, layer = 0, yaw = 0.6, pitch = 0.35, zoom = 1, flat = false, byClass = true;
let dragged = null, timer = null, gliding = null, frame = null, from = null, glide = 1, placed = [];

const part = (name) => element.querySelector('.pg-' + name);
const clamp = (x, a, b) => Math.min(b, Math.max(a, x));
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const image = (source) => new Promise((done) => { const made = new Image(); made.onload = () => done(made); made.src = source; });
const at = () => data.layers[layer];

const points = () => { // where the tokens are now, -1 to 1, on the way from one layer to the next
  const here = at().points;
  if (!from || glide >= 1 || from.length !== here.length) return here;
  const f = glide * glide * (3 - 2 * glide);
  return here.map((value, i) => from[i] + (value - from[i]) * f);
};

const colour = (i) => {
  const { classes, points: p } = at();
  if (byClass && classes) return (data.classes[classes[i]] || { colour: '#8A94A6' }).colour;
  if (byClass && data.classes.length) return '#8A94A6';
  return `rgb(${[0, 1, 2].map((c) => Math.round((p[3 * i + c] + 1) * 127.5)).join(',')})`;
};

const patch = (pen, i, x, y, side) => {
  const { rows, cols, covers } = at(), r = Math.floor(i / cols), c = i % cols;
  const w = (sprite.width * covers[1]) / cols, h = (sprite.height * covers[0]) / rows;
  pen.drawImage(sprite, Math.min(c * w, sprite.width - 1), Math.min(r * h, sprite.height - 1), Math.max(1, Math.min(w, sprite.width - c * w)), Math.max(1, Math.min(h, sprite.height - r * h)), x - side / 2, y - side / 2, side, side);
};

const scene = () => {
  frame = null;
  const canvas = part('cloud');
  if (!data || !canvas || !canvas.clientWidth) return;
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = clamp(width * 0.62, 300, 520);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    canvas.style.height = height + 'px';
  }
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const p = points(), count = p.length / 3, reach = (Math.min(width * 0.78, height) / 2 - 18) * zoom;
  const side = clamp((reach * 1.1) / Math.sqrt(count), 7, 30) * (flat ? 1.15 : 1);
  const [cy, sy, cp, sp] = flat ? [1, 0, 1, 0] : [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  placed = [];
  for (let i = 0; i < count; i++) {
    const x = p[3 * i], y = p[3 * i + 1], z = flat ? 0 : p[3 * i + 2];
    const u = cy * x + sy * z, w = -sy * x + cy * z, v = cp * y - sp * w, depth = sp * y + cp * w, near = flat ? 1 : 1 / (1 - depth * DEPTH);
    placed.push({ i, x: width / 2 + u * reach * near * (flat ? 1.5 : 1.15), y: height / 2 - v * reach * near, depth, side: side * near });
  }
  placed.sort((a, b) => a.depth - b.depth);
  for (const dot of placed) {
    if (dot.x < -40 || dot.x > width + 40) continue;
    pen.globalAlpha = flat ? 0.95 : clamp(0.8 + dot.depth * 0.25, 0.45, 1);
    pen.fillStyle = colour(dot.i);
    const edge = Math.max(1.5, dot.side * 0.13);
    pen.fillRect(dot.x - dot.side / 2 - edge, dot.y - dot.side / 2 - edge, dot.side + 2 * edge, dot.side + 2 * edge);
    patch(pen, dot.i, dot.x, dot.y, dot.side);
  }
  pen.globalAlpha = 1;
};
const redraw = () => { if (!frame) frame = requestAnimationFrame(scene); };

const legend = () => {
  const box = part('key');
  const named = byClass ? data.classes.map((entry) => [entry.colour, entry.label]) : [];
  if (byClass && data.others) named.push(['#8A94A6', data.others]);
  box.replaceChildren(...named.map(([tint, label]) => {
    const item = document.createElement('span'), dot = document.createElement('i');
    dot.style.background = tint;
    item.append(dot, label);
    return item;
  }));
  part('colour').textContent = byClass ? data.words.components : data.words.classes;
  part('colour').hidden = !data.classes.length;
  part('flat').textContent = flat ? '3D' : '2D';
};

const show = (next) => {
  const moved = data.layers[next];
  from = points().slice();
  layer = next;
  part('layer').value = next;
  part('name').textContent = moved.name;
  if (gliding) cancelAnimationFrame(gliding);
  glide = still || from.length !== moved.points.length ? 1 : 0;
  const began = performance.now();
  const run = (now) => {
    glide = clamp((now - began) / GLIDE, 0, 1);
    scene();
    gliding = glide < 1 && element.isConnected ? requestAnimationFrame(run) : null;
  };
  if (glide < 1) gliding = requestAnimationFrame(run); else redraw();
};
const stop = () => {
  clearInterval(timer);
  timer = null;
  if (part('play')) { part('play').textContent = '▶'; part('play').setAttribute('aria-label', data ? data.words.play : ''); }
};
const play = () => {
  part('play').textContent = '❚❚';
  part('play').setAttribute('aria-label', data.words.pause);
  if (layer >= data.layers.length - 1) show(0);
  timer = setInterval(() => {
    if (!element.isConnected || layer >= data.layers.length - 1) return stop();
    show(layer + 1);
  }, PAUSE);
};

const point = (event) => {
  const box = part('cloud').getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  const found = [...placed].reverse().find((dot) => Math.abs(dot.x - x) <= dot.side / 2 + 3 && Math.abs(dot.y - y) <= dot.side / 2 + 3);
  const tip = part('tip');
  tip.hidden = !found;
  if (!found) return;
  const { cols, classes } = at(), big = part('large'), pen = big.getContext('2d');
  patch(pen, found.i, big.width / 2, big.height / 2, big.width);
  const label = classes && data.classes[classes[found.i]] ? data.classes[classes[found.i]].label : classes ? data.others : '';
  const said = data.words.place.replace('{row}', Math.floor(found.i / cols)).replace('{col}', found.i % cols);
  part('tip').querySelector('span').textContent = label ? `${said}: ${label}` : said;
  tip.style.left = clamp(found.x + 14, 4, box.width - tip.offsetWidth - 4) + 'px';
  tip.style.top = clamp(found.y + 14, 4, box.height - tip.offsetHeight - 4) + 'px';
};

const listen = () => {
  const canvas = part('cloud');
  if (!canvas || canvas.dataset.heard) return;
  canvas.dataset.heard = '1';
  canvas.addEventListener('pointerdown', (event) => { dragged = { x: event.clientX, y: event.clientY, yaw, pitch }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener('pointermove', (event) => {
    if (!data) return;
    if (!dragged || flat) return point(event);
    yaw = dragged.yaw + (event.clientX - dragged.x) * 0.008;
    pitch = clamp(dragged.pitch + (event.clientY - dragged.y) * 0.008, -1.5, 1.5);
    redraw();
  });
  canvas.addEventListener('pointerup', (event) => { dragged = null; if (data) point(event); });
  canvas.addEventListener('pointercancel', () => { dragged = null; });
  canvas.addEventListener('pointerleave', () => { part('tip').hidden = true; });
  canvas.addEventListener('wheel', (event) => { if (!event.ctrlKey && !document.fullscreenElement) return; event.preventDefault(); zoom = clamp(zoom * Math.exp(-event.deltaY * 0.01), 0.5, 6); redraw(); }, { passive: false });
  canvas.addEventListener('keydown', (event) => {
    const turn = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.12], ArrowDown: [0, 0.12] }[event.key];
    if (event.key === '+' || event.key === '-') zoom = clamp(zoom * (event.key === '+' ? 1.15 : 0.87), 0.5, 6);
    else if (turn) { yaw += turn[0]; pitch = clamp(pitch + turn[1], -1.5, 1.5); } else return;
    event.preventDefault();
    redraw();
  });
  part('play').addEventListener('click', () => (timer ? stop() : play()));
  part('layer').addEventListener('input', (event) => { stop(); show(Number(event.target.value)); });
  part('flat').addEventListener('click', () => { flat = !flat; legend(); redraw(); });
  part('colour').addEventListener('click', () => { byClass = !byClass; legend(); redraw(); });
  part('save').addEventListener('click', () => { const link = document.createElement('a'); link.download = 'tokens.png'; link.href = canvas.toDataURL('image/png'); link.click(); });
  new ResizeObserver(redraw).observe(canvas);
};

const begin = async () => {
  stop();
  if (!props.value) return;
  const given = JSON.parse(props.value);
  sprite = await image(given.picture);
  for (const level of given.layers) {
    level.points = Float32Array.from(bytes(level.points), (v) => v / 127.5 - 1);
    level.classes = level.classes ? bytes(level.classes) : null;
  }
  [data, from, glide, layer] = [given, null, 1, given.active];
  byClass = data.classes.length > 0;
  listen();
  part('controls').hidden = data.layers.length < 2;
  part('layer').max = data.layers.length - 1;
  part('layer').value = layer;
  part('layer').setAttribute('aria-label', data.words.layer);
  part('name').textContent = at().name;
  part('save').textContent = data.words.save;
  part('cloud').setAttribute('aria-label', data.words.alt);
  legend();
  stop();
  redraw();
};
new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ['class'] });
begin();
watch('value', begin);
