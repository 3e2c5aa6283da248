// @ts-nocheck: this runs in a browser, whose types would stand beside those of Node.js in all other files.
/** The script of the status page: the text of a function. Without it the page says the same, once. */
import { cellText } from './page-cell.ts';

function live(textOfCell) {
  const EVERY_MS = 5000;
  const PATIENCE_MS = 10_000;
  const byId = (id) => document.getElementById(id);
  /** What each part was when it came, by id: what is shown may have a cursor in it. */
  const shown = new Map();
  /** The numbers of a table's charts, by its section. */
  let numbers = new Map();
  let asked = 0;
  let timer: number | undefined;
  let pointer: { readonly x: number; readonly y: number } | undefined;

  const partsOf = (root) => [...root.querySelectorAll('[data-part]')];
  const remember = (root) => {
    for (const part of partsOf(root)) if (!shown.has(part.id)) shown.set(part.id, part.outerHTML);
  };
  const isSelected = (part) => {
    const selection = getSelection();
    return selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode);
  };

  /** Puts what came in the place of what is there. Focus, scrolling and what is selected stay. */
  const swap = (next, isNewView) => {
    const focused = document.activeElement?.id;
    const scrolled = new Map([...document.querySelectorAll('.scroll')].map((one) => [one.id, one.scrollLeft]));
    const ids = (root) => partsOf(root.getElementById('main')).map(({ id }) => id);
    const isSamePage = ids(next).join() === ids(document).join();
    if (!isSamePage) {
      shown.clear();
      byId('main').replaceWith(document.adoptNode(next.getElementById('main')));
    }
    for (const part of partsOf(next)) {
      const here = byId(part.id);
      const text = part.outerHTML;
      if (here === null || shown.get(part.id) === text || isSelected(here)) continue;
      here.replaceWith(document.adoptNode(part));
      shown.set(part.id, text);
    }
    if (isNewView) byId('search').replaceWith(document.adoptNode(next.getElementById('search')));
    remember(document);
    document.title = next.title;
    document.querySelector('link[rel=icon]').href = next.querySelector('link[rel=icon]').href;
    byId('live').replaceChildren('live: ', ...next.getElementById('live').childNodes);
    for (const [id, left] of scrolled) if (left > 0) byId(id)?.scrollTo({ left });
    if (focused && document.activeElement?.id !== focused) byId(focused)?.focus({ preventScroll: true });
    numbers = new Map();
    if (pointer !== undefined) readAt(pointer);
  };

  const lost = (why) => {
    const since = byId('live').querySelector('time')?.textContent ?? '';
    const box = byId('lost');
    const text = `▲ No answer since ${since}: these numbers are old (${why}). "systemctl status edgestatd" says whether it runs.`;
    if (box.textContent !== text) box.textContent = text;
    box.hidden = false;
    document.body.classList.add('old');
  };
  const found = () => {
    byId('lost').hidden = true;
    byId('lost').textContent = '';
    document.body.classList.remove('old');
  };

  /** Only the latest question counts. */
  const refresh = async (isNewView = false) => {
    clearTimeout(timer);
    asked += 1;
    const mine = asked;
    try {
      const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
      const text = await answer.text();
      if (mine !== asked) return;
      if (!(answer.headers.get('content-type') ?? '').startsWith('text/html'))
        throw new Error(`status ${answer.status}`);
      swap(new DOMParser().parseFromString(text, 'text/html'), isNewView);
      found();
    } catch (error) {
      if (mine !== asked) return;
      lost(error.name === 'TimeoutError' ? 'it takes too long' : error.message);
    }
    if (!document.hidden) timer = setTimeout(refresh, EVERY_MS);
  };

  const go = (address, { isTyped = false } = {}) => {
    const url = new URL(address, location.href);
    const isOther = url.searchParams.get('table') !== new URL(location.href).searchParams.get('table');
    if (isTyped) history.replaceState(null, '', url);
    else history.pushState(null, '', url);
    if (isOther) scrollTo(0, 0);
    return refresh(!isTyped);
  };
  const search = (options) => {
    const fields = [...new FormData(byId('search'))].filter(([, value]) => value !== '');
    go(fields.length === 0 ? '/' : `/?${new URLSearchParams(fields)}`, options);
  };

  /** The values of all lines where the pointer is. */
  const readAt = async ({ x, y }) => {
    const figure = document.elementFromPoint(x, y)?.closest('.plot')?.closest('.chart');
    for (const other of document.querySelectorAll('.chart.pointed')) if (other !== figure) unread(other);
    if (!figure) return;
    const section = figure.closest('[data-table]');
    const { table, keys } = section.dataset;
    const known = numbers;
    if (!known.has(table)) {
      const query = new URLSearchParams([['table', table], ...JSON.parse(keys).map((key) => ['key', key])]);
      known.set(
        table,
        fetch(`/history?${query}`).then(
          (answer) => (answer.ok ? answer.json() : undefined),
          () => undefined,
        ),
      );
    }
    const hour = await known.get(table);
    if (hour === undefined || !figure.isConnected || pointer === undefined) return;
    const box = figure.querySelector('.plot svg').getBoundingClientRect();
    const { column, form } = figure.dataset;
    const span = Number(figure.dataset.span);
    const across = Math.round(((pointer.x - box.left) / box.width) * (span - 1));
    if (across < 0 || across >= span) return;
    const at = (hour.series[0]?.values.length ?? 0) - span + across;
    const strokes = section.querySelectorAll('.legend .stroke');
    const time = new Date((hour.fromSeconds + at * hour.stepSeconds) * 1000 + zoneMs());
    const texts = JSON.parse(keys).flatMap((key, index) => {
      const line = hour.series.find((one) => one.key === key && one.column === column);
      return line ? [strokes[index]?.cloneNode(true) ?? '', textOfCell(line.values[at], form)] : [];
    });
    figure.classList.add('pointed');
    figure.querySelector('.read').replaceChildren(`${time.toISOString().slice(11, 19)} `, ...texts);
    figure.querySelector('.cursor').setAttribute('d', `M${across} 0V100`);
  };
  const unread = (figure) => {
    figure.classList.remove('pointed');
    figure.querySelector('.read').replaceChildren();
    figure.querySelector('.cursor').setAttribute('d', '');
  };
  /** The page's times are those of the daemon's zone, whatever this browser's is. */
  const zoneMs = () => {
    const [, sign = '+', hours = 0, minutes = 0] = /UTC(?:([+-])(\d\d):(\d\d))?/.exec(byId('live').textContent) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  };

  let typing: number | undefined;
  document.addEventListener('input', ({ target }) => {
    if (target.closest('#search') === null) return;
    clearTimeout(typing);
    typing = setTimeout(() => search({ isTyped: true }), target.id === 'filter' ? 200 : 0);
  });
  document.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(typing);
    search({ isTyped: true });
  });
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="/"]');
    if (link === null || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.href);
  });
  document.addEventListener('pointermove', ({ clientX, clientY }) => {
    pointer = { x: clientX, y: clientY };
    readAt(pointer);
  });
  document.addEventListener('pointerleave', () => {
    pointer = undefined;
    for (const figure of document.querySelectorAll('.chart.pointed')) unread(figure);
  });
  addEventListener('popstate', () => refresh(true));
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer);
    if (!document.hidden) refresh();
  });
  remember(document);
  byId('live').prepend('live: ');
  byId('search').classList.add('scripted');
  timer = setTimeout(refresh, EVERY_MS);
}

export const scriptText = `'use strict';\n${cellText}\n(${live})(cellText);\n`;
