/** The style of the status page: light and dark, from a phone to a wall. */
export const styleText = `:root {
  color-scheme: light dark;
  --ground: #f3f5f8; --panel: #ffffff; --line: #d5dbe3; --text: #171c22; --dim: #55606e; --link: #0a55a8;
  --bad: #b3201a; --bad-ground: #fdecea; --warn: #8a4b00; --warn-ground: #fff4de; --ok: #17692f; --mark: #eef2f7;
  --s1: #0b62c4; --s2: #c2410c; --s3: #0f766e; --s4: #8b3fc6; --s5: #5c6a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1217; --panel: #161c23; --line: #2c3641; --text: #e2e8ee; --dim: #9dabb9; --link: #82bdff;
    --bad: #ff9189; --bad-ground: #3a1917; --warn: #f3bd5d; --warn-ground: #33270f; --ok: #6ed69a; --mark: #1e2731;
    --s1: #6cb2ff; --s2: #ffa25c; --s3: #4fd1bd; --s4: #cda2ff; --s5: #d3dd62;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { background: var(--ground); color: var(--text); font: 14px/1.4 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
body { margin: 0 auto; max-width: 1680px; padding: 0 16px 32px; }
h2, p, ol, ul, dl, dd, figure { margin: 0; padding: 0; }
h2 { font-size: 15px; font-weight: 650; }
ol, ul { list-style: none; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; border-radius: 2px; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; background: var(--panel); padding: 4px 8px; z-index: 3; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.dim { color: var(--dim); }
.bad { color: var(--bad); }
.warn { color: var(--warn); }
.ok { color: var(--ok); }
td.bad, td.warn, .card .bad, .card .warn { font-weight: 650; }
.mark { margin-right: 4px; font-size: 0.85em; }

.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 18px; padding: 12px 0 8px; }
.brand { font-size: 17px; overflow-wrap: anywhere; }
.brand a { color: inherit; }
#health { font-weight: 650; }
#live { font-variant-numeric: tabular-nums; }
#search { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; margin-left: auto; }
#search.scripted button { display: none; }
label { color: var(--dim); }
input, select, button { font: inherit; color: inherit; background: var(--panel); border: 1px solid #7d8896; border-radius: 4px; padding: 4px 8px; }
input { width: 230px; max-width: 100%; }
::placeholder { color: var(--dim); opacity: 1; }
select { max-width: 180px; }
nav { border-bottom: 1px solid var(--line); margin-bottom: 14px; }
nav ul { display: flex; overflow-x: auto; position: relative; gap: 2px; }
nav a { display: block; padding: 6px 12px; color: inherit; white-space: nowrap; border-bottom: 3px solid transparent; }
nav a.dim { color: var(--dim); }
nav a[aria-current] { border-color: var(--link); font-weight: 650; }
.count { color: var(--dim); font-variant-numeric: tabular-nums; font-weight: 400; }

.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 265px), 1fr)); gap: 14px; margin-bottom: 14px; }
.card, .panel, .banner { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 12px 14px; min-width: 0; }
.card { border-left: 5px solid var(--line); color: inherit; }
.card.bad { border-left-color: var(--bad); }
.card.warn { border-left-color: var(--warn); }
.card.ok { border-left-color: var(--ok); }
.verdict { font-size: 17px; margin: 2px 0 8px; font-variant-numeric: tabular-nums; }
.card.bad .verdict { color: var(--bad); font-weight: 650; }
.card.warn .verdict { color: var(--warn); font-weight: 650; }
.card.ok .verdict { color: var(--ok); }
.card h2 a { color: inherit; }
.card li { display: grid; grid-template-columns: minmax(0, 1fr) 64px 60px; align-items: center; gap: 8px; border-top: 1px solid var(--line); padding: 3px 0; }
.card li > :last-child { grid-column: 3; }
.who { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.banner { margin-bottom: 14px; overflow-wrap: anywhere; }
.banner.bad { background: var(--bad-ground); border-color: var(--bad); }
.banner.warn { background: var(--warn-ground); border-color: var(--warn); }
.banner ul { list-style: disc; padding-left: 20px; }
.panel { margin-bottom: 14px; }
.heading { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; margin-bottom: 8px; overflow-wrap: anywhere; }
.panel h2 a { color: inherit; }
.more { padding-top: 8px; }

.scroll { overflow-x: auto; position: relative; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; text-align: left; white-space: nowrap; border-top: 1px solid var(--line); max-width: 340px; overflow: hidden; text-overflow: ellipsis; }
thead th { border-top: 0; font-weight: 550; color: var(--dim); vertical-align: bottom; }
thead th a { color: inherit; }
thead th[aria-sort] { color: var(--text); font-weight: 650; }
tbody th { font-weight: 600; position: sticky; left: 0; background: var(--panel); }
tbody tr:hover > * { background: var(--mark); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 2px; }
th:last-child, td:last-child { padding-right: 2px; }
.key { width: 30px; padding-right: 0; }
td.message { white-space: normal; overflow-wrap: anywhere; max-width: none; min-width: 260px; }
dl { display: flex; flex-wrap: wrap; gap: 6px 28px; margin-top: 6px; }
dl div { min-width: 0; }
dt { color: var(--dim); }
dd { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }

.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 12px 22px; }
figcaption { display: flex; flex-wrap: wrap; gap: 0 6px; min-height: 20px; color: var(--dim); }
figcaption b { color: var(--text); font-weight: 600; }
.read { margin-left: auto; color: var(--text); font-variant-numeric: tabular-nums; }
.read .stroke { margin-left: 8px; }
.plot { margin-top: 9px; display: grid; grid-template-columns: 58px minmax(0, 1fr); grid-template-rows: 120px auto; font-size: 12px; color: var(--dim); font-variant-numeric: tabular-nums; }
.plot .y { display: flex; flex-direction: column; justify-content: space-between; text-align: right; padding-right: 7px; margin: -8px 0; white-space: nowrap; }
.plot svg { width: 100%; height: 120px; overflow: visible; display: block; cursor: crosshair; }
.plot .x { grid-column: 2; display: flex; justify-content: space-between; padding-top: 3px; }
path { fill: none; vector-effect: non-scaling-stroke; }
.grid, .base { stroke: var(--line); stroke-width: 1px; }
.line { stroke-width: 1.6px; stroke-linecap: round; stroke-linejoin: round; }
.s1 { stroke: var(--s1); stroke-width: 2.2px; }
.s2 { stroke: var(--s2); }
.s3 { stroke: var(--s3); stroke-dasharray: 7 4; }
.s4 { stroke: var(--s4); stroke-dasharray: 2 4; }
.s5 { stroke: var(--s5); stroke-dasharray: 9 3 2 3; }
.limit { stroke-width: 1px; stroke-dasharray: 3 4; }
.limit.bad { stroke: var(--bad); }
.limit.warn { stroke: var(--warn); }
.cursor { stroke: var(--text); stroke-width: 1px; }
.stroke { width: 24px; height: 8px; vertical-align: middle; }
.spark { width: 120px; height: 20px; display: block; overflow: visible; }
.card .spark { width: 64px; }
.spark .line { stroke-width: 1.4px; }
.flat { padding-top: 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; padding: 8px 0 10px 58px; overflow-wrap: anywhere; }
.old main { filter: grayscale(1); }
@media (max-width: 700px) {
  body { padding: 0 8px 24px; }
  #search { margin-left: 0; width: 100%; }
  input { flex: 1; width: 100px; }
  .legend { padding-left: 0; }
  tbody th { max-width: 46vw; }
  .panel, .card { padding: 10px; }
}
@media (prefers-reduced-motion: no-preference) { .card { transition: border-color 0.3s; } }
`;
