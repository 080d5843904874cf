/** Colours, type, cards. Colours come in pairs: a text colour readable on its own soft background. */
export const BASE_STYLE = `
:root {
  color-scheme: light dark;
  --bg: #f6f6f3; --card: #ffffff; --line: #e7e6e1; --text: #1d1f22; --muted: #5f636a;
  --good: #17693f; --good-soft: #e1f1e7; --good-dot: #2f9e64;
  --busy: #7d5209; --busy-soft: #fbefd2; --busy-dot: #d99a1c;
  --bad: #a8243d; --bad-soft: #fbe3e5; --bad-dot: #d43d57;
  --quiet: #5d6168; --quiet-soft: #ecebe7; --quiet-dot: #a3a6ab;
  --ink: #3a6ea8; --ink-soft: #3a6ea81f; --second: #c07a1e; --focus: #2459d3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #121316; --card: #1a1c20; --line: #2a2d33; --text: #e8e8e4; --muted: #a0a5ae;
    --good: #84d9a8; --good-soft: #17301f; --good-dot: #46b97c;
    --busy: #f0c871; --busy-soft: #362a10; --busy-dot: #dda32f;
    --bad: #ff9daa; --bad-soft: #40181f; --bad-dot: #ec5a70;
    --quiet: #a6aab2; --quiet-soft: #26292e; --quiet-dot: #6d727b;
    --ink: #79aee8; --ink-soft: #79aee824; --second: #e0a458; --focus: #8db0ff;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
main { max-width: 1240px; margin: 0 auto; padding: 40px 24px 56px; }
h1, h2, h3, p, ul, fieldset { margin: 0; padding: 0; border: 0; }
h1 { font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { font-size: 15px; font-weight: 600; }
h3 { font-size: 13px; font-weight: 500; color: var(--muted); }
ul { list-style: none; }
a { color: inherit; text-underline-offset: 3px; }
button, input { font: inherit; color: inherit; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.small { font-size: 14px; color: var(--muted); overflow-wrap: anywhere; }
.old { opacity: 0.55; }
@media (prefers-reduced-motion: no-preference) { .old, .tile { transition: opacity 0.2s, background-color 0.3s; } }

header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; margin-bottom: 28px; }
.lead { flex-basis: 100%; color: var(--muted); font-size: 16px; }
.pill { display: inline-flex; align-items: center; gap: 8px; padding: 3px 12px 3px 10px; border-radius: 999px; font-weight: 600; font-size: 14px; }
.pill::before, .state::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: currentColor; flex: none; }
.state { display: inline-flex; align-items: center; gap: 8px; white-space: nowrap; }
.good { color: var(--good); } .busy { color: var(--busy); } .bad { color: var(--bad); } .quiet { color: var(--quiet); }
.pill.good { background: var(--good-soft); } .pill.busy { background: var(--busy-soft); }
.pill.bad { background: var(--bad-soft); } .pill.quiet { background: var(--quiet-soft); }
.state.good::before, .pill.good::before { background: var(--good-dot); }
.state.busy::before, .pill.busy::before { background: var(--busy-dot); }
.state.bad::before, .pill.bad::before { background: var(--bad-dot); border-radius: 2px; transform: rotate(45deg); }
.state.quiet::before, .pill.quiet::before { background: transparent; box-shadow: inset 0 0 0 2px var(--quiet-dot); }

.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 20px 22px; margin-bottom: 16px; }
.card-head, .section-head { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 6px 16px; margin-bottom: 14px; }
.section-head { margin: 28px 0 12px; padding: 0 2px; }
.matters { display: grid; gap: 0 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); }
.problems, .actions, .lost { border-color: transparent; }
.problems { background: var(--bad-soft); color: var(--bad); }
.actions { background: var(--busy-soft); color: var(--busy); }
.matters h2 { margin-bottom: 6px; }
.matters li + li { margin-top: 6px; }
.matters li { overflow-wrap: anywhere; }
.matters .small { color: inherit; }
.due { font-weight: 600; }
.lost { background: var(--busy-soft); color: var(--busy); font-weight: 600; }
.chip { appearance: none; border: 1px solid var(--line); background: transparent; border-radius: 999px; padding: 2px 12px; font-size: 13.5px; cursor: pointer; }
.chip:hover { border-color: var(--quiet-dot); }
.chip.bad { background: var(--bad-soft); border-color: transparent; color: var(--bad); font-weight: 600; }

.facts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(176px, 1fr)); margin-bottom: 16px; }
.fact { margin: 0; padding: 16px 18px; display: flex; flex-direction: column; gap: 4px; }
.figure { font-size: 18px; font-weight: 600; letter-spacing: -0.01em; overflow-wrap: anywhere; }
.bar { height: 6px; border-radius: 3px; background: var(--quiet-soft); overflow: hidden; margin: 6px 0 4px; }
.bar i { display: block; height: 100%; border-radius: 3px; background: var(--good-dot); }
.bar.low i { background: var(--bad-dot); }
footer { margin-top: 24px; color: var(--muted); font-size: 13px; display: flex; flex-wrap: wrap; gap: 4px 18px; }

@media (max-width: 720px) {
  main { padding: 24px 14px 40px; }
  h1 { font-size: 25px; }
  .lead { font-size: 15px; }
  header { margin-bottom: 20px; }
  .card { padding: 16px; border-radius: 12px; }
  .facts { gap: 10px; }
}
`;
