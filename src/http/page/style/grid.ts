/** The grid of shards. Trouble differs from the rest in shape, too, not in colour alone. */
export const GRID_STYLE = `
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: 14px; }
.grid { display: grid; gap: 6px; }
.tile { appearance: none; border: 0; cursor: default; width: 100%; height: 100%; line-height: 1.3; }
.tile b { font-weight: 600; }
.tile.good { background: var(--good-soft); } .tile.busy { background: var(--busy-soft); }
.tile.bad { background: var(--bad-soft); } .tile.quiet { background: var(--quiet-soft); }
.tile:hover { box-shadow: 0 0 0 1px currentColor; }

.words { grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); }
.words .tile { display: flex; justify-content: space-between; align-items: baseline; gap: 6px; border-radius: 8px; padding: 7px 10px; }
.words .tile span { font-size: 12.5px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.words .tile.bad { border-left: 4px solid var(--bad-dot); border-radius: 3px 8px 8px 3px; padding-left: 6px; }

.numbers { gap: 4px; grid-template-columns: repeat(auto-fill, minmax(46px, 1fr)); }
.numbers .tile { border-radius: 6px; padding: 4px 2px; font-size: 12.5px; text-align: center; }
.numbers .tile span { display: none; }
.numbers .tile.bad { background: var(--bad-dot); color: var(--card); }
.numbers .tile.bad b { font-weight: 700; }
.numbers .tile.busy { box-shadow: inset 0 -3px 0 var(--busy-dot); }

.squares { gap: 3px; grid-template-columns: repeat(auto-fill, minmax(14px, 1fr)); }
.squares li { aspect-ratio: 1; min-height: 0; display: flex; }
.squares .tile { padding: 0; border-radius: 4px; background: var(--good-dot); opacity: 0.55; }
.squares .tile b, .squares .tile span { display: none; }
.squares .tile.busy { background: radial-gradient(circle, var(--busy-soft) 22%, var(--busy-dot) 24%); opacity: 1; }
.squares .tile.bad { background: var(--bad-dot); opacity: 1; border-radius: 2px; transform: rotate(45deg) scale(0.86); }
.squares .tile.quiet { background: transparent; box-shadow: inset 0 0 0 2px var(--quiet-dot); opacity: 1; }
.squares .tile:hover, .squares .tile:focus-visible { opacity: 1; }

.chips { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 14px; align-items: center; }
.below { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 8px 16px; margin-top: 12px; }
.detail { min-height: 1.5em; color: var(--muted); font-size: 14px; flex: 1 1 260px; }
.find { display: flex; align-items: center; gap: 8px; font-size: 14px; color: var(--muted); }
.find input { background: transparent; border: 1px solid var(--quiet-dot); border-radius: 8px; padding: 2px 8px; color: var(--text); width: 5.5em; }

@media (max-width: 720px) {
  .words { grid-template-columns: repeat(auto-fill, minmax(136px, 1fr)); }
  .squares { max-height: 60vh; overflow-y: auto; padding: 3px; margin: -3px; }
}
`;
