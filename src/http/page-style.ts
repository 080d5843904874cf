/** Styles of the status page. Colours come in pairs: a text colour readable on its own soft background. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --bg: #f6f6f3; --card: #ffffff; --line: #e7e6e1; --text: #1d1f22; --muted: #62666d;
  --good: #17693f; --good-soft: #e1f1e7; --good-dot: #2f9e64;
  --busy: #85580c; --busy-soft: #fbefd2; --busy-dot: #d99a1c;
  --bad: #a8243d; --bad-soft: #fbe3e5; --bad-dot: #d43d57;
  --quiet: #5d6168; --quiet-soft: #ecebe7; --quiet-dot: #a3a6ab;
  --focus: #2459d3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #121316; --card: #1a1c20; --line: #2a2d33; --text: #e8e8e4; --muted: #9a9fa8;
    --good: #84d9a8; --good-soft: #17301f; --good-dot: #46b97c;
    --busy: #f0c871; --busy-soft: #362a10; --busy-dot: #dda32f;
    --bad: #ff9daa; --bad-soft: #40181f; --bad-dot: #ec5a70;
    --quiet: #a6aab2; --quiet-soft: #26292e; --quiet-dot: #6d727b;
    --focus: #8db0ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
main { max-width: 1160px; margin: 0 auto; padding: 40px 24px 56px; }
h1, h2, p, ul, dl, dd { margin: 0; padding: 0; }
h1 { font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { font-size: 13px; font-weight: 600; color: var(--muted); }
ul { list-style: none; }
a { color: inherit; text-underline-offset: 3px; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; margin-bottom: 28px; }
.lead { flex-basis: 100%; color: var(--muted); font-size: 16px; }
.pill { display: inline-flex; align-items: center; gap: 8px; padding: 3px 12px 3px 10px; border-radius: 999px; font-weight: 600; font-size: 14px; }
.pill::before, .state::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: currentColor; flex: none; }
.state { display: inline-flex; align-items: center; gap: 8px; white-space: nowrap; }
.good { color: var(--good); } .busy { color: var(--busy); } .bad { color: var(--bad); } .quiet { color: var(--quiet); }
.pill.good, .tile.good { background: var(--good-soft); } .pill.busy, .tile.busy { background: var(--busy-soft); }
.pill.bad, .tile.bad { background: var(--bad-soft); } .pill.quiet, .tile.quiet { background: var(--quiet-soft); }
.state.good::before, .pill.good::before { background: var(--good-dot); }
.state.busy::before, .pill.busy::before { background: var(--busy-dot); }
.state.bad::before, .pill.bad::before { background: var(--bad-dot); border-radius: 2px; transform: rotate(45deg); }
.state.quiet::before, .pill.quiet::before { background: transparent; box-shadow: inset 0 0 0 2px var(--quiet-dot); }

.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 20px 22px; margin-bottom: 16px; }
.card-head { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 4px 16px; margin-bottom: 14px; }
.problems { border-color: transparent; background: var(--bad-soft); color: var(--bad); }
.problems h2 { color: inherit; margin-bottom: 6px; }
.problems li + li { margin-top: 6px; }
.lost { border-color: transparent; background: var(--busy-soft); color: var(--busy); font-weight: 600; }

.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: 14px; }
.grid { display: grid; gap: 6px; grid-template-columns: repeat(auto-fill, minmax(108px, 1fr)); }
.tile {
  appearance: none; border: 0; font: inherit; text-align: left; cursor: default; border-radius: 8px; padding: 7px 10px;
  display: flex; justify-content: space-between; gap: 6px; align-items: baseline; width: 100%; height: 100%; line-height: 1.3;
}
.tile b { font-weight: 600; }
.tile span { font-size: 12.5px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.dense { gap: 4px; grid-template-columns: repeat(auto-fill, minmax(44px, 1fr)); }
.dense .tile { padding: 3px 4px; border-radius: 6px; flex-direction: column; align-items: center; justify-content: center; gap: 0; font-size: 12.5px; }
.dense .tile.good span { display: none; }
.dense .tile span { font-size: 9.5px; max-width: 100%; line-height: 1.15; }
.dense .tile.bad b, .dense .tile.busy b { font-weight: 700; }
.detail { min-height: 1.5em; margin-top: 12px; color: var(--muted); font-size: 14px; }

.scroll { overflow-x: auto; margin: 0 -22px; padding: 0 22px; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; }
th { text-align: right; font-weight: 500; font-size: 13px; color: var(--muted); padding: 0 0 8px 18px; white-space: nowrap; }
td { text-align: right; padding: 9px 0 9px 18px; border-top: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; text-align: left; font-weight: 600; }
.text { text-align: left; }
.note td { border: 0; padding-top: 0; white-space: normal; text-align: left; font-weight: 400; font-size: 14px; }
.muted { color: var(--muted); }

.facts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr)); }
.facts .card { margin: 0; display: flex; flex-direction: column; gap: 4px; }
.figure { font-size: 20px; font-weight: 600; letter-spacing: -0.01em; overflow-wrap: anywhere; }
.figure .state { font-size: inherit; }
.bar { height: 6px; border-radius: 3px; background: var(--quiet-soft); overflow: hidden; margin: 6px 0 4px; position: relative; }
.bar i { display: block; height: 100%; border-radius: 3px; background: var(--good-dot); }
.bar.low i { background: var(--bad-dot); }
.small { font-size: 14px; color: var(--muted); overflow-wrap: anywhere; }
footer { margin-top: 24px; color: var(--muted); font-size: 13px; display: flex; flex-wrap: wrap; gap: 4px 18px; }

@media (max-width: 720px) {
  main { padding: 24px 14px 40px; }
  h1 { font-size: 25px; }
  .lead { font-size: 15px; }
  .card { padding: 16px; border-radius: 12px; }
  .scroll { margin: 0 -16px; padding: 0 16px; }
  .wide { display: none; }
  th, td { padding-left: 12px; }
  .grid:not(.dense) { grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); }
}
`;
