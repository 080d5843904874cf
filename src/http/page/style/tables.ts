export const TABLE_STYLE = `
.scroll { overflow-x: auto; margin: 0 -22px; padding: 0 22px; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; }
thead th { text-align: right; font-weight: 500; font-size: 13px; color: var(--muted); padding: 0 0 8px 18px; white-space: nowrap; }
tbody th, td { text-align: right; padding: 9px 0 9px 18px; border-top: 1px solid var(--line); white-space: nowrap; }
tr > :first-child { padding-left: 0; text-align: left; }
tbody th { font-weight: 600; }
tr > .text { text-align: left; }
td.text.wide { white-space: normal; overflow-wrap: anywhere; min-width: 8em; }
tbody tr.note > td { border: 0; padding-top: 0; white-space: normal; text-align: left; font-size: 14px; }
td.muted { color: var(--muted); }

@media (max-width: 720px) {
  .scroll { margin: 0 -16px; padding: 0 16px; }
  .wide { display: none; }
  thead th, tbody th, td { padding-left: 12px; }
}
`;
