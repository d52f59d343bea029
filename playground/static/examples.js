// The example buttons. Photos load with the page; drawn ones a moment later, so that the first answer comes first.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-index]');
  if (button) trigger('choose', { index: Number(button.dataset.index) });
});
setTimeout(() => {
  for (const img of element.querySelectorAll('img[data-src]')) img.src = img.dataset.src;
}, 1500);
