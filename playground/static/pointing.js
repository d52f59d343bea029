// Pictures to point at, each in a [data-frame]: a click is a point; on [data-drag] a drag with the mouse is a box, and
// on [data-corners] so are two clicks; on [data-brush] a drag with the mouse is a stroke of the brush, a path of points.
// The server hears shares of the picture from 0 to 1.
let frame = null; // under the pointer that is down
let from = null; // where it went down
let drawn = null; // the box that is being dragged
let corner = null; // the first of two clicks, and its mark
let stroke = []; // the points of the brush, and their marks

const at = (event) => {
  const box = frame.getBoundingClientRect();
  const share = (value, start, length) => Math.min(Math.max((value - start) / length, 0), 1);
  return { x: share(event.clientX, box.left, box.width), y: share(event.clientY, box.top, box.height) };
};
const corners = (one, two) => ({
  x0: Math.min(one.x, two.x), y0: Math.min(one.y, two.y), x1: Math.max(one.x, two.x), y1: Math.max(one.y, two.y),
});
const far = (box) => (box.x1 - box.x0) * frame.clientWidth > 8 && (box.y1 - box.y0) * frame.clientHeight > 8;
const add = (kind, style) => {
  const mark = document.createElement('span');
  mark.className = kind;
  frame.append(mark);
  move(mark, style);
  return mark;
};
const move = (mark, style) => {
  for (const [name, share] of Object.entries(style)) mark.style[name] = `${100 * share}%`;
};
const drag = (box) => {
  const style = { left: box.x0, top: box.y0, width: box.x1 - box.x0, height: box.y1 - box.y0 };
  if (drawn) move(drawn, style);
  else drawn = add('pg-box', style);
};
const brush = (to) => {
  const last = stroke.at(-1)?.at ?? from;
  const pixels = Math.hypot((to.x - last.x) * frame.clientWidth, (to.y - last.y) * frame.clientHeight);
  if (pixels > 5 && stroke.length < 500) stroke.push({ at: to, mark: add('pg-dab', { left: to.x, top: to.y }) });
};
const clean = () => {
  if (drawn) drawn.remove();
  for (const dab of stroke) dab.mark.remove();
  stroke = [];
  frame = from = drawn = null;
};
const forget = () => {
  if (corner) corner.mark.remove();
  corner = null;
};

element.addEventListener('pointerdown', (event) => {
  frame = event.button ? null : event.target.closest('[data-frame]');
  if (!frame) return;
  from = at(event);
  if (event.pointerType === 'mouse') {
    event.preventDefault(); // no text is selected, no picture dragged away
    frame.setPointerCapture(event.pointerId);
  }
});
element.addEventListener('pointermove', (event) => {
  if (!frame || event.pointerType !== 'mouse') return;
  if ('brush' in frame.dataset) brush(at(event));
  if (!('drag' in frame.dataset)) return;
  const box = corners(from, at(event));
  if (far(box)) drag(box);
});
element.addEventListener('pointerup', (event) => {
  if (!frame) return;
  const to = at(event);
  let found = drawn ? corners(from, to) : { x0: to.x, y0: to.y };
  if (stroke.length) found = { path: [from, ...stroke.map((dab) => dab.at), to].map((point) => [point.x, point.y]) };
  if (!drawn && 'corners' in frame.dataset) {
    if (!corner) {
      corner = { ...to, mark: add('pg-spot', { left: to.x, top: to.y }) };
      return clean();
    }
    found = corners(corner, to);
    if (!far(found)) return clean();
  }
  forget();
  clean();
  trigger('pick', found);
});
element.addEventListener('pointercancel', clean); // the page scrolls under a finger
