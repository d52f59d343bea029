// A file that is too large does not reach a picture field, which would empty itself over it.
const most = Number(element.querySelector('[data-most]').dataset.most);
const refuse = (event, files) => {
  if (!event.target.closest?.('#pg-picture, #pg-second-picture')) return;
  if (![...(files || [])].some((file) => file.size > most)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.type === 'change') event.target.value = '';
  else event.target.dispatchEvent(new DragEvent('dragleave', { bubbles: true }));
  trigger('refuse', {});
};
document.addEventListener('change', (event) => refuse(event, event.target.files), true);
document.addEventListener('drop', (event) => refuse(event, event.dataTransfer?.files), true);
