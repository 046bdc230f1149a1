'use strict';
// Asks the service every two seconds, and shows what it says.

const POLL = 2000, SLOWEST = 30000, PATIENCE = 5000, KEEP = 15 * MINUTE;
const byId = (id) => document.getElementById(id);
const HISTORY = ['scored_per_second', 'duplicate_per_second', 'retried_per_second', 'dead_per_second',
  'lag_records', 'lag_seconds', 'end_to_end_p50_seconds', 'end_to_end_p99_seconds'];

const memory = { at: [] };
for (const key of HISTORY) memory[key] = [];
let wait = POLL, timer = 0, began = null, latest = null, secrets = null, token = '', asking = false;

const timePlots = () => ({
  rate: new TimePlot(byId('p-rate'), byId('p-rate-caption'), {
    title: 'Throughput in records a second', format: count, least: 1,
    series: [
      { key: 'scored_per_second', label: 'scored', color: 'blue', fill: true },
      { key: 'duplicate_per_second', label: 'duplicates', color: 'violet', dash: '6 3' },
      { key: 'retried_per_second', label: 'to be retried', color: 'amber', dash: '2 3' },
      { key: 'dead_per_second', label: 'dead letters', color: 'red', dash: '9 3 2 3' },
    ],
  }),
  lag: new TimePlot(byId('p-lag'), byId('p-lag-caption'), {
    title: 'Lag in records', format: count, least: 10,
    series: [{ key: 'lag_records', label: 'behind', color: 'violet', fill: true }],
  }),
  age: new TimePlot(byId('p-age'), byId('p-age-caption'), {
    title: 'Age of the next record', format: seconds, least: 1,
    series: [{ key: 'lag_seconds', label: 'age of the next record', color: 'amber', fill: true }],
  }),
  e2e: new TimePlot(byId('p-e2e'), byId('p-e2e-caption'), {
    title: 'Time from a record to its result', format: seconds, log: 0.001,
    series: [
      { key: 'end_to_end_p50_seconds', label: 'half within', color: 'green' },
      { key: 'end_to_end_p99_seconds', label: '99 % within', color: 'blue', dash: '6 3' },
    ],
  }),
});

const MEASURES = {
  trust_score: ['Trust', 'of forecasts', 1], alignment_score: ['Alignment', 'of forecasts', 100], quality_score: ['Quality', 'of raw signals', 1],
  anomaly_score: ['Anomaly', 'of all; 1 is most unusual', 1], recency_score: ['Recency', 'of all; 1 is fresh', 1],
};
let plots, histograms;

// The first frame has the page without figures, and waits for nothing: what draws them is made behind it. A page that nobody sees has no
// frames, and begins at once.
const built = new Promise((done) => {
  if (document.hidden) done(); else requestAnimationFrame(() => setTimeout(done));
}).then(() => {
  plots = timePlots();
  histograms = Object.fromEntries(Object.entries(MEASURES).map(([name, of]) => [name, new Histogram(byId('scores'), ...of)]));
});

function say(text) { byId('said').textContent = text; }

// put changes a text only when it differs, so that a screen reader is not told again.
function put(id, text) {
  const node = byId(id);
  if (node.textContent !== text) node.textContent = text;
}

function show(id, visible) { byId(id).hidden = !visible; }

async function ask(path, headers) {
  const abort = new AbortController(), limit = setTimeout(() => abort.abort(), PATIENCE);
  try {
    return await fetch(path, { headers, signal: abort.signal, cache: 'no-store' });
  } finally {
    clearTimeout(limit);
  }
}

async function poll() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  try {
    const newest = memory.at.length ? memory.at[memory.at.length - 1] : 0;
    const response = await ask('/api/overview?after=' + newest);
    if (!response.ok) throw new Error(`the service answered ${response.status}`);
    const overview = await response.json();
    if (overview.schema !== 'pulse.overview/1') throw new Error('the service is of another version: load the page again');
    await openContents(overview);
    await built;
    latest = overview;
    found();
    render(overview);
  } catch (error) {
    lose(error);
  } finally {
    asking = false;
  }
  timer = setTimeout(poll, document.hidden ? SLOWEST : wait);
}

function found() {
  wait = POLL;
  show('lost', false);
  document.body.classList.remove('stale');
}

// lose says that the service is away, and asks less and less often.
function lose(error) {
  wait = Math.min(SLOWEST, wait * 1.6);
  document.body.classList.add('stale');
  const why = error.name === 'AbortError' ? 'no answer within 5 s' : error.message === 'Failed to fetch' || error.name === 'TypeError' ? 'no answer at all' : error.message;
  const old = latest ? ` What you see is of ${clock(Date.parse(latest.now), true)}.` : '';
  put('lost', `Connection lost: ${why}. Is the service running, and the port open?${old} Asking again every ${Math.round(wait / 1000)} s.`);
  show('lost', true);
  state('fault', 'Connection lost');
}

function state(level, text) {
  byId('state').className = 'state ' + level;
  put('state-text', text);
}

function render(o) {
  document.body.classList.add('told');
  remember(o);
  const now = Date.parse(o.now);
  put('identity', `group ${o.service.group}${o.service.instance ? ' · instance ' + o.service.instance : ''} · profile ${o.service.profile} · version ${o.service.version} · up ${seconds(o.service.uptime_seconds)}`);
  document.title = (o.service.ready ? '' : '● ') + 'pulse-scorer · ' + o.service.group;
  renderState(o);
  renderTiles(o);
  for (const name in plots) plots[name].show(memory, now);
  renderStart(o);
  renderScores(o);
  renderResults(o);
  renderDead(o);
  renderTiers(o, now);
  renderHealth(o);
  renderTasks(o, now);
  renderContents(o);
  put('as-of', ', as of ' + clock(now, true));
}

function remember(o) {
  const h = o.history;
  // A process that began anew has another history.
  if (began !== null && Math.abs(startOf(o) - began) > 5000) for (const key of ['at', ...HISTORY]) memory[key] = [];
  began = startOf(o);
  h.at_ms.forEach((ms, i) => {
    if (memory.at.length && ms <= memory.at[memory.at.length - 1]) return;
    memory.at.push(ms);
    for (const key of HISTORY) memory[key].push(h[key][i]);
  });
  while (memory.at.length && memory.at[0] < Date.parse(o.now) - KEEP) for (const key of ['at', ...HISTORY]) memory[key].shift();
}
const startOf = (o) => Date.parse(o.now) - o.service.uptime_seconds * 1000;

// reasons are why it waits, or what is wrong, in words.
function reasons(o) {
  const s = o.service, out = [];
  if (s.hold) out.push(s.hold);
  for (const c of s.readiness) if (!c.ok) out.push(c.name + ': ' + (c.detail || 'not well'));
  // What the last look found says the same again while no broker answers.
  if (!out.length) for (const c of s.checks) if (!c.ok) out.push(c.name.replaceAll('_', ' ') + ': ' + (c.detail || 'not well'));
  for (const r of s.restores) out.push(`partition ${r.partition}: restoring its state, ${count(r.records)} of about ${count(r.estimated_records)} records read`);
  if (s.stalled) out.push('given up, because they made no progress: tasks ' + s.stalled.join(', ') + '. Restart the process.');
  return out;
}

function renderState(o) {
  const s = o.service, why = reasons(o);
  if (!s.live) state('fault', 'Stalled: restart it');
  else if (!s.ready) state('warning', 'Not ready');
  else if (why.length) state('warning', 'Ready, with warnings');
  else state('ok', o.throughput.records_per_second >= 0.05 || o.lag.records ? 'Working' : 'Ready, idle');
  const box = byId('holds'), text = why.join('\n');
  if (box.dataset.text !== text) {
    box.dataset.text = text;
    box.replaceChildren(html('strong', {}, s.ready ? 'Needs a look:' : 'Why it waits:'), html('ul', {}, ...why.map((w) => html('li', {}, w))));
  }
  box.hidden = !why.length;
}

function tile(id, value, unit) {
  const text = value + (unit || '');
  const node = byId(id);
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  node.replaceChildren(value, unit ? html('small', {}, unit) : '');
}

// split parts the unit from a formatted number.
function split(text) {
  const at = text.lastIndexOf(' ');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function renderTiles(o) {
  const t = o.throughput;
  tile('t-rate', ...split(count(t.records_per_second)).map((p, i) => i ? p + '/s' : p));
  put('t-rate-note', `${count(t.records)} ${t.records === 1 ? 'record' : 'records'} in all`);
  tile('t-lag', ...split(count(o.lag.records)));
  put('t-lag-note', o.lag.records === 1 ? 'record behind' : 'records behind');
  tile('t-age', ...split(seconds(o.lag.seconds)));
  put('t-age-note', o.lag.partition < 0 ? 'nothing waits' : 'most on partition ' + o.lag.partition);
  let i = memory.at.length - 1;
  while (i >= 0 && memory.end_to_end_p50_seconds[i] === null) i--;
  tile('t-e2e', ...split(i < 0 ? '–' : seconds(memory.end_to_end_p50_seconds[i])));
  put('t-e2e-note', i < 0 ? 'no result yet' : `p99 ${seconds(memory.end_to_end_p99_seconds[i])}, at ${clock(memory.at[i])}`);
  const waiting = o.tiers.reduce((n, tier) => n + tier.waiting, 0) + o.parked;
  tile('t-retry', ...split(count(waiting)));
  put('t-retry-note', o.parked ? `${count(o.parked)} of them parked behind their series` : 'offsets in retry tiers');
  tile('t-dead', ...split(count(t.dead)));
  put('t-dead-note', `of ${count(t.records)} since the start`);
}

function renderStart(o) {
  const s = o.service, empty = o.throughput.records === 0;
  show('start', empty && s.ready);
  if (!empty) return;
  put('c-kcat', `echo '{"name":"my_signal","value":1.5,"source":"me"}' | kcat -P -b ${s.brokers} -t ${s.input_topic} -k my_signal -X partitioner=murmur2_random`);
  put('c-produce', `${s.environment} pulse-scorer produce signals.ndjson`);
}

function renderScores(o) {
  for (const s of o.scores) if (histograms[s.name]) histograms[s.name].show(s.counts);
  const a = o.anomalies;
  put('anomalies', a.scored ? `${count(a.flagged)} of ${count(a.scored)} results are flagged as anomalies (${trim(a.flagged / a.scored * 100)}\u00a0%).` : 'Nothing was scored yet.');
}

// rows brings a table body up to date: rows are kept by key, so that what a reader has
// selected or focused stays.
function rows(body, list, key, fill) {
  const known = new Map([...body.children].map((tr) => [tr.dataset.key, tr]));
  const wanted = list.map((item) => {
    const k = String(key(item)), tr = known.get(k) || html('tr', { 'data-key': k });
    known.delete(k);
    const cells = fill(item), text = JSON.stringify(cells.map((c) => [c.text, c.class, c.tag]));
    if (tr.dataset.text !== text) {
      tr.dataset.text = text;
      tr.replaceChildren(...cells.map(cell));
    }
    return tr;
  });
  for (const tr of known.values()) tr.remove();
  wanted.forEach((tr, i) => { if (body.children[i] !== tr) body.insertBefore(tr, body.children[i] || null); });
}

function cell(c) {
  const node = html(c.head ? 'th' : 'td', c.head ? { scope: 'row' } : {});
  if (c.class) node.className = c.class;
  if (c.title) node.title = c.title;
  let inner = c.text;
  if (c.tag) inner = html('span', { class: 'tag ' + c.tag }, c.text);
  else if (c.code) inner = html('code', { tabindex: '-1' }, c.text);
  if (c.commands) node.append(...c.commands.map(command)); else node.append(inner);
  return node;
}

// command is one for a shell, with a button that copies it. What it does stands before it, because its end may be cut off.
function command({ text, what }) {
  const code = html('code', { tabindex: '0' }, text);
  const button = html('button', { type: 'button' }, 'Copy', html('span', { class: 'hidden' }, ' the ' + what));
  button.addEventListener('click', () => copy(text, button, code));
  return html('div', {}, html('span', { class: 'what' }, what), code, button);
}

const num = (text) => ({ text, class: 'num' });
const score = (v) => num(v === null ? '–' : v.toFixed(2));

function renderResults(o) {
  show('results-empty', !o.results.length);
  show('results-box', !!o.results.length);
  const open = secrets ? new Map(secrets.results.map((r) => [r.seq, r.result])) : null;
  rows(byId('results'), o.results, (r) => r.seq, (r) => {
    const content = open && open.get(r.seq);
    const contents = open ? [
      { text: content ? content.name : '…', class: 'clip name' }, { text: content ? content.source : '…', class: 'clip short' },
      { text: content ? content.id : '…', class: 'clip short', code: true, title: content ? content.id : '' },
      num(content ? trimmed(content.value) : '…'),
    ] : [];
    return [{ text: clock(Date.parse(r.at), true), head: true }, ...contents, { text: r.kind },
      score(r.trust_score), num(r.alignment_score === null ? '–' : r.alignment_score.toFixed(1)),
      { text: r.anomaly_score === null ? (r.anomaly_flag ? 'flagged' : '–') : r.anomaly_score.toFixed(2) + (r.anomaly_flag ? ' flagged' : ''), class: 'num', tag: r.anomaly_flag ? 'amber' : '' },
      score(r.recency_score), num(seconds(r.end_to_end_seconds) + (r.attempts > 1 ? `, try ${r.attempts}` : '')), num(`${r.partition} : ${r.offset}`)];
  });
}

function trimmed(value) { return Number(value.toPrecision(6)).toString(); }

function renderDead(o) {
  const d = o.dead_letters;
  show('dead-empty', !d.total);
  show('dead-box', !!d.total);
  rows(byId('dead-why'), d.by_class_and_stage, (w) => w.class + ' ' + w.stage, (w) => [
    { text: w.class, head: true }, { text: w.stage }, num(count(w.count)), { text: clock(Date.parse(w.last_at), true) },
    redrive(`${o.service.environment} pulse-scorer dlq redrive --class ${w.class} --stage ${w.stage}`),
  ]);
  const open = secrets ? new Map(secrets.dead_letters.map((l) => [l.seq, l])) : null;
  rows(byId('dead-recent'), d.recent, (l) => l.seq, (l) => {
    const content = open && open.get(l.seq);
    const contents = open ? [
      { text: content ? content.message.replace(l.class + ': ', '') : '…', class: 'wide' },
      { text: content ? content.value + (content.cut ? '…' : '') : '…', class: 'clip', code: true, title: content ? content.value : '' },
    ] : [];
    return [{ text: clock(Date.parse(l.at), true), head: true }, { text: l.class }, { text: l.stage }, ...contents,
      num(count(l.size_bytes)), num(l.attempts === 1 ? 'once' : l.attempts + ' times'), num(`${l.partition} : ${l.offset}`)];
  });
}

// redrive is the command that shows what would be sent back, and the one that sends it.
function redrive(text) {
  return { text, class: 'run', commands: [{ text: text + ' --dry-run', what: 'dry run' }, { text, what: 'redrive' }] };
}

// due is a time to come, or one that has passed.
function due(text, now) {
  if (!text) return '–';
  const left = (Date.parse(text) - now) / 1000;
  return `${clock(Date.parse(text), true)} (${left >= 0 ? 'in ' + seconds(Math.round(left)) : seconds(Math.round(-left)) + ' ago'})`;
}

function renderTiers(o, now) {
  rows(byId('tiers'), o.tiers, (t) => t.tier, (t) => [
    { text: 'retry.' + t.tier, head: true }, num(seconds(t.delay_seconds)), num(count(t.waiting)), num(due(t.next_not_before, now)),
  ]);
  put('parked', o.tiers.length ? (o.parked ? `${count(o.parked)} signals are parked behind an earlier one of their series.` : '') : 'There are no tiers (PULSE_RETRY_DELAYS is empty): what fails is a dead letter at once.');
}

function renderHealth(o) {
  const s = o.service, list = byId('checks');
  const all = [...s.readiness.map((c) => ({ ...c, name: c.name + ' (readiness)' })), ...s.checks];
  const text = JSON.stringify(all.map((c) => [c.name, c.ok, c.detail]));
  if (list.dataset.text !== text) {
    list.dataset.text = text;
    list.replaceChildren(...all.map((c) => html('li', {},
      html('span', { class: 'mark ' + (c.ok ? 'good' : 'ill'), 'aria-hidden': 'true' }, c.ok ? '✓' : '✗'),
      html('span', {}, c.name.replaceAll('_', ' '), html('span', { class: 'hidden' }, c.ok ? ': well.' : ': not well.')),
      html('span', { class: 'detail' }, c.detail || ''))));
  }
  put('checked', s.checked_at ? `The periodic look was made at ${clock(Date.parse(s.checked_at), true)}.` : 'The first periodic look is still to come.');
}

function busy(t) { return t.here && (t.phase !== 'running' || t.held || t.lag > 0 || t.waiting > 0); }

function renderTasks(o, now) {
  const here = o.tasks.filter((t) => t.here), behind = here.filter((t) => t.lag > 0), still = here.filter((t) => t.phase !== 'running' || t.held);
  const others = o.tasks.length - here.length, members = o.owners.members;
  put('tasks-lead', !o.tasks.length ? 'This process has no task yet: it gets some when it has joined the group.' :
    `${here.length} here${others ? `, ${others} with others` : ''}${members > 1 ? ` (${members} members)` : ''}; ${behind.length} behind, ${still.length} not running.` +
    (o.owners.error ? ` The group could not be asked for owners: ${o.owners.error}` : ''));
  byId('cells').replaceChildren(...o.tasks.map((t) => {
    const kind = !t.here ? 'away' : t.phase !== 'running' || t.held ? 'wait' : t.lag > 0 ? 'lag' : 'run';
    const node = html('span', { class: 'cell ' + kind });
    node.title = `partition ${t.partition}: ${stateOf(t)}${t.lag ? ', ' + count(t.lag) + ' behind' : ''}`;
    return node;
  }));
  const only = byId('only-busy').checked, list = only ? o.tasks.filter(busy) : o.tasks;
  rows(byId('tasks'), list, (t) => t.partition, (t) => [
    { text: String(t.partition), head: true, class: 'num' }, { text: stateOf(t), tag: !t.here ? '' : t.held || t.phase !== 'running' ? 'amber' : 'green' },
    { text: ownerOf(t), class: 'clip', title: t.owner || '' },
    ...(t.here ? [num(t.committed < 0 ? '–' : plain(t.committed)), num(t.end < 0 ? '–' : plain(t.end)), num(count(t.lag)), num(seconds(t.lag_seconds)), num(count(t.waiting)), num(due(t.next_not_before, now))]
      : ['–', '–', '–', '–', '–', '–'].map(num)),
  ]);
  show('tasks-empty', !list.length);
  put('tasks-empty', only && o.tasks.length ? 'All run, none is behind, nothing waits to be retried.' : 'No task.');
}

function plain(n) { return n.toLocaleString('en-US').replaceAll(',', '\u202f'); }
function stateOf(t) { return !t.here ? 'elsewhere' : t.held ? 'held' : t.phase; }
function ownerOf(t) { return t.here ? 'this process' + (t.owner ? ` (${short(t.owner)})` : '') : short(t.owner || ''); }
// A member ID has random parts, of which a few characters do.
function short(owner) { return owner.replace(/-?([0-9a-f]{6})[0-9a-f-]{10,}/g, '-$1…'); }

// The token opens the contents. It comes by the form, or behind # in the address.
function takeToken(text) {
  token = text;
  try {
    if (text) sessionStorage.setItem('token', text); else sessionStorage.removeItem('token');
  } catch { /* without storage it is kept by this page alone */ }
}

async function openContents(o) {
  if (!token || !o.service.contents) { secrets = null; return; }
  const response = await ask('/api/recent', { Authorization: 'Bearer ' + token });
  if (response.status === 401) {
    takeToken('');
    secrets = null;
    put('token-note', 'That is not the token the service was started with.');
    return;
  }
  if (!response.ok) throw new Error(`the service answered ${response.status}`);
  secrets = await response.json();
}

function renderContents(o) {
  document.body.classList.toggle('open', !!secrets);
  for (const th of document.querySelectorAll('[data-contents]')) th.hidden = !secrets;
  show('contents-off', !o.service.contents);
  show('token-form', o.service.contents);
  show('forget', !!secrets);
  for (const node of [byId('token'), byId('token-form').querySelector('label'), byId('token-form').querySelector('[type=submit]')]) node.hidden = !!secrets;
  if (secrets) put('token-note', 'Shown. Names, values and reasons stand in the tables above.');
}

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  takeToken(byId('token').value.trim());
  byId('token').value = '';
  poll();
});
byId('forget').addEventListener('click', () => {
  takeToken('');
  secrets = null;
  put('token-note', 'Hidden.');
  if (latest) render(latest);
  byId('token').focus();
});
byId('only-busy').addEventListener('change', () => { if (latest) renderTasks(latest, Date.parse(latest.now)); });

// copy needs a page of this machine or TLS; elsewhere the text is selected.
async function copy(text, button, code) {
  let said = 'Copied';
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(code);
    said = 'Press Ctrl+C';
  }
  const label = button.firstChild.textContent;
  button.firstChild.textContent = said;
  say(said);
  setTimeout(() => { button.firstChild.textContent = label === said ? 'Copy' : label; }, 2000);
}
for (const button of document.querySelectorAll('[data-copy]')) {
  const code = byId(button.dataset.copy);
  button.addEventListener('click', () => copy(code.textContent, button, code));
}

document.addEventListener('visibilitychange', () => { if (!document.hidden) poll(); });

(function begin() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    takeToken(given);
    history.replaceState(null, '', location.pathname);
  } else {
    try { token = sessionStorage.getItem('token') || ''; } catch { token = ''; }
  }
  poll();
})();
