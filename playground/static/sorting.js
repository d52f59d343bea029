// A table that is sorted in the browser: a press on a column's name sorts by it, another one turns the order round.
// Cells carry what they are sorted by as data-sort; those without a value stay last. The order outlives new rows.
let column = null;
let up = true;

const value = (row) => row.cells[column]?.dataset.sort ?? '';
const compare = (one, two) => {
  const [a, b] = [value(one), value(two)];
  if (a === '' || b === '') return (a === '') - (b === '');
  const [x, y] = [Number(a), Number(b)];
  const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  return up ? order : -order;
};
const sort = () => {
  const table = element.querySelector('table');
  if (!table || column === null) return;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    if (place === column) head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    else head.removeAttribute('aria-sort');
  });
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
};
element.addEventListener('click', (event) => {
  const head = event.target.closest('th');
  if (!head || !event.target.closest('button')) return;
  up = column === head.cellIndex ? !up : true;
  column = head.cellIndex;
  sort();
});
watch('value', () => setTimeout(sort)); // once the new rows stand
