/** The document of the dashboard: what does not depend on the bot. `scripts`: paths of all modules. */
export function pageDocument(scripts: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>botctl</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page/style.css">
${scripts.map((path) => `<link rel="modulepreload" href="${path}">`).join('\n')}
<script type="module" src="/page/main.mjs"></script>
</head>
<body>
<main>
<p id="lost" class="card lost" role="status" hidden></p>
<noscript><p class="card lost">This page needs JavaScript. The same figures: <a href="/status.json">/status.json</a> or botctl status.</p></noscript>
<p id="announcer" class="visually-hidden" role="status"></p>
<div id="page" hidden>
<header>
<h1 id="name"></h1>
<span id="verdict" class="pill" role="status"></span>
<p id="lead" class="lead"></p>
</header>
<div class="matters">
<section id="problems" class="card problems" aria-labelledby="problems-title" hidden>
<h2 id="problems-title">What is wrong</h2>
<ul id="problem-list"></ul>
</section>
<section id="actions" class="card actions" aria-labelledby="actions-title" hidden>
<h2 id="actions-title">What is being done</h2>
<ul id="action-list"></ul>
</section>
</div>
<section class="card" aria-labelledby="shards-title">
<div class="card-head"><h2 id="shards-title">Shards</h2><ul id="legend" class="legend"></ul></div>
<ul id="grid" class="grid" aria-labelledby="shards-title"></ul>
<ul id="troubled" class="chips" aria-label="Shards in trouble" hidden></ul>
<div class="below">
<p id="detail" class="detail">Point at a shard, or reach it with Tab and the arrow keys, to see more.</p>
<form id="find" class="find" hidden><label for="find-shard">Find shard</label><input id="find-shard" name="shard" inputmode="numeric" pattern="[0-9]+" size="6" required autocomplete="off"><button type="submit" class="chip">Show</button></form>
</div>
</section>
<section aria-labelledby="charts-title">
<div class="section-head">
<h2 id="charts-title">Activity</h2>
<fieldset id="ranges" class="ranges"><legend class="visually-hidden">Time shown</legend>
<label><input type="radio" name="range" value="1h" checked autocomplete="off"><span>1 hour</span></label>
<label><input type="radio" name="range" value="24h" autocomplete="off"><span>24 hours</span></label>
</fieldset>
</div>
<div id="charts" class="charts"></div>
</section>
<section class="card" aria-labelledby="clusters-title">
<div class="card-head"><h2 id="clusters-title">Clusters</h2><button id="more-clusters" type="button" class="chip" aria-controls="clusters" hidden></button></div>
<div class="scroll" tabindex="0" role="region" aria-label="Table of clusters"><table id="clusters"></table></div>
</section>
<section id="incidents-card" class="card" aria-labelledby="incidents-title" hidden>
<div class="card-head"><h2 id="incidents-title">Incidents</h2></div>
<div class="scroll" tabindex="0" role="region" aria-label="Table of incidents"><table id="incidents"></table></div>
</section>
<section id="health-card" class="card" aria-labelledby="health-title" hidden>
<div class="card-head"><h2 id="health-title">Health checks</h2><p id="health-round" class="small"></p></div>
<div class="scroll" tabindex="0" role="region" aria-label="Table of health checks"><table id="health"></table></div>
</section>
<section aria-labelledby="facts-title">
<div class="section-head"><h2 id="facts-title">What it stands on</h2></div>
<div id="facts" class="facts"></div>
</section>
<section id="databases-card" class="card" aria-labelledby="databases-title" hidden>
<div class="card-head"><h2 id="databases-title">Databases</h2><p class="small">connections of all processes</p></div>
<div class="scroll" tabindex="0" role="region" aria-label="Table of databases"><table id="databases"></table></div>
</section>
<footer><span id="supervisor"></span><span id="updated"></span><span id="way"></span><a href="/status.json">status.json</a><a href="/metrics">metrics</a></footer>
</div>
</main>
</body>
</html>
`;
}
