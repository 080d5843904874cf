export const CHART_STYLE = `
.charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); margin-bottom: 28px; }
.chart { margin: 0; padding: 16px 18px 12px; display: flex; flex-direction: column; }
.chart-head { display: flex; justify-content: space-between; align-items: baseline; gap: 10px; }
.chart-now { font-size: 18px; font-weight: 600; letter-spacing: -0.01em; white-space: nowrap; }
.chart-legend { display: flex; flex-wrap: wrap; gap: 0 14px; font-size: 12.5px; color: var(--muted); min-height: 1.6em; }
.chart-legend li { display: inline-flex; align-items: center; gap: 6px; white-space: nowrap; }
.chart-legend .line-0::before, .chart-legend .line-1::before { content: ""; width: 10px; border-top: 2px solid var(--ink); }
.chart-legend .line-1::before { border-top: 2px dashed var(--second); }
.chart-plot { position: relative; height: 84px; margin-top: auto; cursor: crosshair; touch-action: pan-y; border-radius: 4px; }
.chart-plot svg { display: block; width: 100%; height: 100%; overflow: visible; }
.chart-top { position: absolute; top: -1px; right: 0; font-size: 11px; line-height: 1.3; color: var(--muted); background: var(--card); padding-left: 4px; border-radius: 3px; opacity: 0.9; }
.chart-mark { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--muted); pointer-events: none; }
.chart-axis { display: flex; justify-content: space-between; font-size: 11.5px; color: var(--muted); margin-top: 4px; }
.base { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.curve { fill: none; stroke: var(--ink); stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
.curve.line-1 { stroke: var(--second); stroke-dasharray: 4 3; }
.area { fill: var(--ink-soft); }

.ranges { display: inline-flex; border: 1px solid var(--line); border-radius: 999px; background: var(--card); padding: 2px; }
.ranges input { position: absolute; opacity: 0; pointer-events: none; }
.ranges span { display: block; padding: 1px 13px; border-radius: 999px; font-size: 13.5px; color: var(--muted); cursor: pointer; }
.ranges input:checked + span { background: var(--text); color: var(--card); }
.ranges input:focus-visible + span { outline: 2px solid var(--focus); outline-offset: 2px; }

@media (max-width: 720px) {
  .charts { gap: 10px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 160px), 1fr)); }
  .chart { padding: 12px 12px 10px; }
  .chart-head { flex-direction: column; gap: 0; }
  .chart-plot { height: 64px; }
}
@media (forced-colors: active) {
  .ranges input:checked + span { outline: 2px solid; }
  .curve { stroke: CanvasText; }
}
`;
