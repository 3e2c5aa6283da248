/** The frame of the page: head, bar, tabs, and what it says when it cannot answer. */
import type { StatusDocument, TableHead } from './document.ts';
import { addressOf, type View } from './page-address.ts';
import { clockText, zoneText } from './page-cell.ts';
import { type Html, html, name } from './page-html.ts';
import { TABLE_ROWS } from './page-table.ts';

export interface Framed {
  readonly status: StatusDocument;
  readonly tables: readonly TableHead[];
  /** Of all rows. */
  readonly targets: readonly string[];
  readonly view: View;
  readonly main: Html;
}

/** Allows what this very page has, and nothing else: whatever a name may contain, it runs nothing and fetches nothing. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
};

export function pageOf({ status, tables, targets, view, main }: Framed): string {
  const { health, machine, nowMs } = status;
  return `<!doctype html>\n${
    html`<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${health.healthy ? '' : '▲ '}${machine} · edgestatd</title>
<link rel="icon" href="${icon(health.healthy)}"><link rel="stylesheet" href="/page.css"><script src="/page.js" defer></script></head>
<body><a class="skip" href="#main">to the tables</a>
<header class="bar"><p class="brand"><a href="/">edgestatd</a> <b>${name(machine)}</b></p>
<p id="health" data-part class="${health.healthy ? 'ok' : 'bad'}">${health.healthy ? '✓ healthy' : '▲ not healthy'}</p>
<p id="live" class="dim">as of <time>${clockText(nowMs)}</time> ${zoneText(nowMs)}</p>
${searchForm(view, targets)}</header>
<p id="lost" class="banner bad" role="alert" hidden></p>
${tabs(tables, view)}
<main id="main">${health.healthy ? undefined : banner(health.reasons)}${main}</main>
</body></html>`.text
  }\n`;
}

function banner(reasons: readonly string[]): Html {
  return html`<section class="banner bad" id="reasons" data-part role="alert"><h2>▲ Not healthy</h2><ul>${reasons.map((one) => html`<li>${one}</li>`)}</ul></section>`;
}

function searchForm(view: View, targets: readonly string[]): Html {
  const kept = (part: 'table' | 'sort' | 'order' | 'jobs'): Html | undefined =>
    view[part] === undefined ? undefined : html`<input type="hidden" name="${part}" value="${view[part]}">`;
  const option = (value: string, text: string, isChosen: boolean): Html =>
    html`<option value="${value}"${isChosen ? html` selected` : undefined}>${text}</option>`;
  const { target, table } = view;
  const all = target === undefined || targets.includes(target) ? targets : [target, ...targets];
  const selection =
    all.length < 2 && target === undefined
      ? undefined
      : html`<label for="target">target</label><select id="target" name="target">${option('', 'all', target === undefined)}${all.map((one) => option(one, one.slice(0, 60), one === target))}</select>`;
  const sizes = [...new Set([TABLE_ROWS, 400, 1000, view.rows ?? TABLE_ROWS])].toSorted((one, other) => one - other);
  const rows =
    table === undefined
      ? undefined
      : html`<label for="rows">rows</label><select id="rows" name="rows">${sizes.map((one) => option(String(one), String(one), one === (view.rows ?? TABLE_ROWS)))}</select>`;
  return html`<form method="get" action="/" role="search" id="search">${(['table', 'sort', 'order', 'jobs'] as const).map(kept)}
<label for="filter">filter</label><input id="filter" name="filter" type="search" value="${view.filter ?? ''}" maxlength="200" placeholder="VIF, IP, queue, target" autocomplete="off" spellcheck="false">
${selection}${rows}<button>show</button></form>`;
}

function tabs(tables: readonly TableHead[], { table, filter, target }: View): Html {
  const tab = (title: Html | string, of: string | undefined, isEmpty: boolean): Html => {
    const current = of === table ? html` aria-current="page"` : undefined;
    const address = addressOf({ table: of, filter, target });
    return html`<li><a id="tab-${of ?? 'all'}" href="${address}"${current} class="${isEmpty ? 'dim' : ''}">${title}</a></li>`;
  };
  const each = tables.map((one) =>
    tab(html`${one.name} <span class="count">${one.rows}</span>`, one.name, one.rows === 0),
  );
  return html`<nav aria-label="tables" id="tabs" data-part><ul>${tab('overview', undefined, false)}${each}</ul></nav>`;
}

/** A page that says what is wrong with its own address. */
export function complaint(message: string): Html {
  return html`<section class="banner warn" id="complaint" data-part role="alert"><h2>△ This address cannot be answered</h2><p>${message}</p><p><a id="complaint-link" href="/">to the overview</a></p></section>`;
}

function icon(isHealthy: boolean): string {
  const shape = isHealthy
    ? "<path d='M2 12l3-6 3 4 3-8 3 10' fill='none' stroke='#1f7a3d' stroke-width='2'/>"
    : "<path d='M8 1l7 14H1z' fill='#b3261e'/>";
  const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>${shape}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
