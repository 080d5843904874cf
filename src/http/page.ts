import { PAGE_SCRIPT } from './page-script';
import { PAGE_STYLE } from './page-style';

/** The status page: one self-contained document. `nonce` goes into the policy of the same answer. */
export function statusPage(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>botctl</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${PAGE_STYLE}</style>
</head>
<body>
<main>
<p id="lost" class="card lost" role="status" hidden></p>
<noscript><p class="card lost">This page needs JavaScript. The same figures: <a href="/status.json">/status.json</a> or botctl status.</p></noscript>
<div id="page" hidden>
<header>
<h1 id="name"></h1>
<span id="verdict" class="pill" role="status"></span>
<p id="lead" class="lead"></p>
</header>
<section id="problems" class="card problems" aria-labelledby="problems-title" hidden>
<h2 id="problems-title">What is wrong</h2>
<ul id="problem-list"></ul>
</section>
<section class="card" aria-labelledby="shards-title">
<div class="card-head"><h2 id="shards-title">Shards</h2><ul id="legend" class="legend"></ul></div>
<ul id="grid" class="grid" aria-labelledby="shards-title"></ul>
<p id="detail" class="detail" aria-live="polite">Point at a shard, or reach it with Tab and the arrow keys, to see more.</p>
</section>
<section class="card" aria-labelledby="clusters-title">
<div class="card-head"><h2 id="clusters-title">Clusters</h2></div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="clusters-title">
<table>
<thead><tr><th scope="col">Cluster</th><th scope="col" class="text">State</th><th scope="col" class="text wide">Shards</th><th scope="col">Ready</th><th scope="col" class="wide">Guilds</th><th scope="col">Memory</th><th scope="col" class="wide">CPU</th><th scope="col" class="wide">Loop p99</th><th scope="col">Up</th><th scope="col">Restarts</th></tr></thead>
<tbody id="clusters"></tbody>
</table>
</div>
</section>
<div id="facts" class="facts"></div>
<footer><span id="supervisor"></span><span id="updated"></span><a href="/status.json">status.json</a></footer>
</div>
</main>
<script nonce="${nonce}">${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

/** Nothing is loaded from elsewhere, nobody may frame the page, only this document's own script and style run. */
export function pagePolicy(nonce: string): string {
  return [
    `default-src 'none'`,
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    `connect-src 'self'`,
    `img-src data:`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ].join('; ');
}
