// Takes the figures of the open part along, without asking the server: as pictures, or as one page that needs nothing.
const save = (name, address) => { const link = document.createElement('a'); link.download = name; link.href = address; document.body.append(link); link.click(); link.remove(); };
const seen = (kind) => [...document.querySelectorAll(`#pg-story ${kind}`)].filter((found) => found.offsetWidth && found.offsetHeight > 20);
const plots = () => seen('.pg-plot').filter((host) => host.data && host.data.length);
const dark = () => document.body.classList.contains('dark');

const pictures = async () => {
  const plotly = window.__pgPlotly, shots = [];
  for (const host of plots()) {
    const figure = JSON.parse(plotly.Plots.graphJson(host, false, 'keepdata'));
    const { sliders, updatemenus, ...layout } = figure.layout; // a picture has nothing to press
    const still = { data: figure.data, layout: { ...layout, paper_bgcolor: dark() ? '#10151F' : 'white' } };
    shots.push(await plotly.toImage(still, { format: 'png', scale: 2, width: host.offsetWidth, height: host.offsetHeight }));
  }
  for (const canvas of seen('canvas')) shots.push(canvas.toDataURL('image/png'));
  shots.forEach((shot, i) => save(`figure-${i + 1}.png`, shot));
};

const page = async () => {
  const plotly = window.__pgPlotly, script = await (await fetch('BUNDLE_URL')).text();
  const figures = plots().map((host) => plotly.Plots.graphJson(host, false, 'keepdata').replaceAll('<', '\\u003c'));
  const shots = seen('canvas').map((canvas) => `<img src="${canvas.toDataURL('image/png')}" alt="" style="max-width:100%">`);
  const title = document.querySelector('#pg-story [role=tab][aria-selected=true]')?.textContent || '';
  const drawn = figures.map((figure, i) => `<div id="f${i}"></div><script>{const f=${figure};Plotly.newPlot('f${i}',f.data,f.layout).then(g=>Plotly.addFrames(g,(f.frames&&f.frames._frames)||f.frames||[]))}</script>`);
  const head = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title></title><script>${script.replaceAll('</script', '<\\/script')}</script></head>`;
  const look = dark() ? 'background:#10151F;color:#E6E9EF' : '';
  const whole = `${head}<body style="font-family:system-ui,sans-serif;max-width:1000px;margin:24px auto;padding:0 16px;${look}"><h1 style="font-size:20px"></h1>${shots.join('')}${drawn.join('')}<script>document.title=document.querySelector('h1').textContent=${JSON.stringify(title).replaceAll('<', '\\u003c')}</script></body></html>`;
  const address = URL.createObjectURL(new Blob([whole], { type: 'text/html' }));
  save('figures.html', address);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-kind]');
  if (button) (button.dataset.kind === 'png' ? pictures : page)();
});
