// One Plotly figure: runs once per view. `element`, `props`, `trigger`, `watch`, `server` come from Gradio.
const plotly = (window.__pgPlotly = window.__pgPlotly || window.Plotly);
let drawn = null; // the element that carries the current plot
let sized = null; // watches its width
let width = 0; // for which it was drawn

const dark = () => document.body.classList.contains('dark');
const look = () => ({
  'font.color': dark() ? '#e6e9ef' : '#1b2330',
  'xaxis.gridcolor': dark() ? 'rgba(255,255,255,.12)' : 'rgba(0,0,0,.10)',
  'yaxis.gridcolor': dark() ? 'rgba(255,255,255,.12)' : 'rgba(0,0,0,.10)',
});

const point = (event) => {
  const p = event.points[0];
  return { curve: p.curveNumber, index: p.pointNumber ?? p.pointIndex ?? null, x: p.x ?? null, y: p.y ?? null };
};

// A picture fills the width but never grows taller than the figure's own height.
// `below` is what stands under it: a slider and buttons.
const heightFor = (layout, width) => {
  const { aspect, below = 0 } = layout.meta || {};
  return Math.round(aspect ? Math.min(layout.height, Math.max(width / aspect, 120) + below) : layout.height);
};

const listen = (host) => {
  const step = () => (host.layout.sliders ? host.layout.sliders[0].active ?? 0 : null); // of a figure with frames
  host.on('plotly_click', (event) => trigger('pick', { ...point(event), step: step() }));
  let last = 0;
  host.on('plotly_hover', (event) => {
    const now = performance.now();
    if (now - last < 80) return;
    last = now;
    trigger('point', point(event));
  });
  if (sized) sized.disconnect();
  sized = new ResizeObserver(() => {
    if (!host.isConnected) return sized.disconnect();
    if (!host.offsetWidth || host.offsetWidth === width) return;
    draw();
  });
  sized.observe(host);
};

const draw = () => {
  const host = element.querySelector('.pg-plot');
  if (!host || !plotly) return;
  if (!props.value) {
    if (drawn === host) plotly.purge(host);
    drawn = null;
    host.setAttribute('aria-label', props.alt || '');
    return;
  }
  if (!host.offsetWidth) return waitForWidth(host);
  const figure = JSON.parse(props.value);
  width = host.offsetWidth;
  const layout = figure.layout || {};
  layout.height = layout.height || Number(host.dataset.height);
  const height = heightFor(layout, width);
  host.style.height = height + 'px';
  host.setAttribute('aria-label', (layout.meta && layout.meta.alt) || props.alt || '');
  const colour = look();
  layout.height = height;
  layout.width = width;
  layout.font = { ...(layout.font || {}), color: colour['font.color'] };
  for (const axis of ['xaxis', 'yaxis'])
    if (layout[axis]) layout[axis] = { gridcolor: colour[axis + '.gridcolor'], ...layout[axis] };
  plotly
    .react(host, {
      data: figure.data,
      layout,
      frames: figure.frames || [],
      config: { responsive: false, displayModeBar: false, displaylogo: false },
    })
    .then(() => {
      if (drawn === host) return;
      drawn = host;
      listen(host);
    });
};

// In a hidden tab there is no width to draw for: draw when the view is first shown.
const waitForWidth = (host) => {
  const shown = new ResizeObserver(() => {
    if (!host.offsetWidth) return;
    shown.disconnect();
    draw();
  });
  shown.observe(host);
};

let wasDark = dark();
new MutationObserver(() => {
  if (drawn && drawn.isConnected && dark() !== wasDark) plotly.relayout(drawn, look());
  wasDark = dark();
}).observe(document.body, { attributes: true, attributeFilter: ['class'] });

draw();
watch('value', draw);
