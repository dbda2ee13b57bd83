"""The one style sheet: system fonts, few colours, light and dark, wide and narrow. Contrasts meet WCAG 2.2 AA."""

from typing import Final

CSS: Final = """\
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1b1b; --quiet: #535353; --line: #c9d2db; --soft: #f2f6fa;
  --brand: #154273; --on-brand: #ffffff; --link: #01568a; --box: #e8f1f9; --good: #205c2e; --warn: #8a3b00;
  --tag: #154273; --name: #7a3300; --value: #205c2e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #11161c; --ink: #e9edf1; --quiet: #aeb9c4; --line: #3c4a58; --soft: #1a222b;
    --brand: #16324f; --on-brand: #ffffff; --link: #8fcdf7; --box: #1c3248; --good: #8fd6a0; --warn: #ffb986;
    --tag: #8fcdf7; --name: #ffb986; --value: #8fd6a0;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
body { margin: 0; background: var(--paper); color: var(--ink); }
main, .bar, .main ul, .trail, footer { max-width: 72rem; margin-inline: auto; padding-inline: 1rem; }
main { padding-block: .5rem 3rem; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 2rem; color: var(--ink); margin-block: 1rem; }
h2 { font-size: 1.4rem; margin-block: 2.5rem .75rem; padding-top: .75rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.1rem; margin-block: 1.5rem .5rem; }
p, li, dd { max-width: 46rem; }
a { color: var(--link); text-underline-offset: .15em; }
a:hover { text-decoration-thickness: .15em; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
header :focus-visible { outline-color: var(--on-brand); }
:target { scroll-margin-top: 1rem; }
.skip { position: absolute; left: 1rem; top: -4rem; padding: .5rem 1rem; background: var(--paper); z-index: 1; }
.skip:focus { top: .5rem; }
.vh { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header { background: var(--brand); color: var(--on-brand); }
header a { color: var(--on-brand); }
.bar { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; justify-content: space-between; align-items: center; }
.site { margin: .9rem 0; font-size: 1.15rem; font-weight: 700; }
.site a { text-decoration: none; }
.switch { padding: .35rem 0; }
nav ul, nav ol { list-style: none; margin: 0; padding-block: 0; }
.main { background: rgb(0 0 0 / .18); }
.main ul { display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
.main a { display: inline-block; padding: .6rem 0; text-decoration: none; }
.main a:hover, .main a[aria-current] { text-decoration: underline; text-decoration-thickness: .15em; }
.trail { padding-block: .75rem 0; font-size: .9rem; }
.trail ol { display: flex; flex-wrap: wrap; gap: .25rem .5rem; padding: 0; }
.trail li + li::before { content: "›"; padding-right: .5rem; color: var(--quiet); }
footer { padding-block: 1.5rem 2.5rem; border-top: 1px solid var(--line); color: var(--quiet); font-size: .9rem; }
.lead { font-size: 1.15rem; }
.quiet, caption, .basis { color: var(--quiet); }
.toc { columns: 15rem; padding-left: 0; }
.toc li { padding-block: .1rem; }
.wide { overflow-x: auto; margin-block: .75rem 1.25rem; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
caption { text-align: left; padding-block: .25rem .5rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); }
thead th { border-bottom-width: 2px; white-space: nowrap; }
tbody th { font-weight: 600; }
tbody tr:hover > * { background: var(--soft); }
.wide p, .wide ul { margin: 0; max-width: none; }
.wide ul { padding-left: 1.1rem; }
.elements { min-width: 56rem; }
.elements div { overflow-wrap: anywhere; }
.elements tbody th { white-space: nowrap; font-weight: 500; }
.elements td:nth-child(3) { min-width: 15rem; }
.elements td:nth-child(2) { white-space: nowrap; }
.elements td:nth-child(4) { min-width: 15rem; }
.faults { min-width: 60rem; }
.faults td:nth-child(2) { min-width: 17rem; }
th .quiet { font-weight: 400; }
.must { font-weight: 700; }
.d1 { padding-left: 1.25rem; } .d2 { padding-left: 2.5rem; } .d3 { padding-left: 3.75rem; }
.d4 { padding-left: 5rem; } .d5 { padding-left: 6.25rem; } .d6 { padding-left: 7.5rem; }
.d7 { padding-left: 8.75rem; } .d8 { padding-left: 10rem; } .d9 { padding-left: 11.25rem; }
code, pre, .code { font-family: ui-monospace, "Cascadia Mono", "Liberation Mono", Menlo, Consolas, monospace; }
code { font-size: .9em; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 1rem; overflow: auto;
  max-height: 40rem; font-size: .85rem; line-height: 1.5; tab-size: 2; margin-block: .5rem 1rem; }
pre code { font-size: inherit; overflow-wrap: normal; }
.xt { color: var(--tag); } .xa { color: var(--name); } .xv { color: var(--value); } .xc { color: var(--quiet); }
.status { display: inline-block; padding: 0 .6rem; border: 1px solid currentcolor; border-radius: 1rem;
  font-size: .85rem; font-weight: 600; white-space: nowrap; }
.status.active { color: var(--good); } .status.deprecated, .status.closed, .status.archived { color: var(--warn); }
dl.facts { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .35rem 1.5rem; margin: 1rem 0; }
dl.facts dt { font-weight: 600; } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
dl.states dt { font-weight: 600; margin-top: 1rem; } dl.states dd { margin-left: 1.25rem; }
details { margin-block: .5rem; }
summary { cursor: pointer; padding-block: .25rem; color: var(--link); text-decoration: underline; }
td details { margin: 0; }
.cards { list-style: none; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.cards li { border: 1px solid var(--line); border-radius: 6px; padding: .25rem 1.1rem 1rem; background: var(--soft); }
.cards h2, .cards h3 { border: 0; padding: 0; margin-block: .75rem .35rem; font-size: 1.15rem; }
.cards ul { padding-left: 1.1rem; }
.cards ul li { border: 0; padding: 0; background: none; }
.steps { padding-left: 0; list-style: none; }
figure { margin: 1rem 0; }
.figure { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
.diagram { display: block; margin-inline: auto; font-size: 13px; }
.diagram text { text-anchor: middle; fill: var(--ink); }
.diagram .name { font-weight: 600; }
.diagram .message, .diagram .kept { font-size: 12px; }
.diagram .who { font-weight: 700; fill: var(--link); }
.diagram .state { fill: var(--box); stroke: var(--link); stroke-width: 1.5; }
.diagram .initial { stroke-width: 3; }
.diagram .inner { fill: none; stroke: var(--link); }
.diagram .label { fill: var(--paper); stroke: var(--line); }
.diagram .line { fill: none; stroke: var(--quiet); stroke-width: 1.25; }
.diagram .head { fill: var(--quiet); }
@media (max-width: 40rem) {
  h1 { font-size: 1.6rem; }
  dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .6rem; }
}
@media print { header, .trail, footer, .skip { display: none; } pre { max-height: none; } a { color: inherit; } }
"""
