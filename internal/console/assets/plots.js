'use strict';
// Plots as SVG. Everything is made by createElementNS and text nodes: the page's policy
// allows no markup from text.

const SVG = 'http://www.w3.org/2000/svg';

function svg(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children);
  return node;
}

function html(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

// Numbers for people.
function count(n) {
  if (n === null || n === undefined) return '–';
  const a = Math.abs(n);
  if (a >= 1e9) return trim(n / 1e9) + ' G';
  if (a >= 1e6) return trim(n / 1e6) + ' M';
  if (a >= 1e5) return trim(n / 1e3) + ' k';
  if (a >= 10 || Number.isInteger(n)) return Math.round(n).toLocaleString('en-US').replaceAll(',', '\u202f');
  return trim(n);
}

function trim(n) {
  return String(Number(n.toFixed(Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 10 ? 1 : 2)));
}

function seconds(s) {
  if (s === null || s === undefined) return '–';
  if (s < 0.001) return s === 0 ? '0 s' : trim(s * 1e6) + ' µs';
  if (s < 1) return trim(s * 1e3) + ' ms';
  if (s < 100) return trim(s) + ' s';
  if (s < 2 * 3600) return trim(s / 60) + ' min';
  if (s < 48 * 3600) return trim(s / 3600) + ' h';
  return trim(s / 86400) + ' d';
}

function clock(ms, withSeconds) {
  return new Date(ms).toLocaleTimeString('en-GB', withSeconds ? {} : { hour: '2-digit', minute: '2-digit' });
}

// niceStep is 1, 2 or 5 times a power of ten, so that at most `most` of them cover `range`.
function niceStep(range, most) {
  const raw = range / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].find((m) => m * power >= raw * 0.999) * power;
}

const MINUTE = 60000;

// TimePlot draws lines over the last minutes. options: title, caption (an element for
// the legend), series [{key, label, color, dash, fill}], format, log (with a least value).
class TimePlot {
  constructor(box, caption, options) {
    Object.assign(this, { box, caption, options, cursor: null, data: null });
    this.root = svg('svg', { role: 'img', tabindex: '0', 'aria-label': options.title + ': nothing yet' });
    box.append(this.root);
    this.root.addEventListener('pointermove', (e) => this.pointAt(e));
    this.root.addEventListener('pointerleave', () => this.moveTo(null));
    this.root.addEventListener('blur', () => this.moveTo(null));
    this.root.addEventListener('keydown', (e) => this.key(e));
    new ResizeObserver(() => this.draw()).observe(box);
  }

  show(data, now) {
    this.data = data;
    this.now = now;
    this.draw();
  }

  // The time axis grows with what there is: a young process has no 15 minutes.
  span() {
    const have = this.data.at.length ? this.now - this.data.at[0] : 0;
    return [2, 5, 15].map((m) => m * MINUTE).find((s) => have <= s) || 15 * MINUTE;
  }

  scales() {
    const width = this.box.clientWidth, height = this.box.clientHeight;
    const left = 50, right = 10, top = 8, bottom = 22, span = this.span();
    const x = (ms) => left + (1 - (this.now - ms) / span) * (width - left - right);
    let most = 0;
    for (const s of this.options.series) for (const v of this.data[s.key]) if (v !== null) most = Math.max(most, v);
    let ticks, y;
    if (this.options.log) {
      const low = Math.log10(this.options.log), high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(most, this.options.log))));
      ticks = [];
      for (let e = low; e <= high; e++) ticks.push(10 ** e);
      y = (v) => height - bottom - (Math.log10(Math.max(v, this.options.log)) - low) / (high - low) * (height - top - bottom);
    } else {
      const step = niceStep(Math.max(most, this.options.least || 1), 4);
      const high = Math.max(step, Math.ceil(Math.max(most, this.options.least || 1) / step - 1e-9) * step);
      ticks = [];
      for (let t = 0; t <= high + step / 2; t += step) ticks.push(t);
      y = (v) => height - bottom - v / high * (height - top - bottom);
    }
    return { width, height, left, right, top, bottom, span, x, y, ticks };
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    const s = this.scales(), parts = [];
    for (const t of s.ticks) {
      parts.push(svg('line', { class: t === s.ticks[0] ? 'axis' : 'grid', x1: s.left, x2: s.width - s.right, y1: s.y(t), y2: s.y(t) }));
      parts.push(svg('text', { x: s.left - 8, y: s.y(t) + 4, 'text-anchor': 'end' }, this.options.format(t)));
    }
    parts.push(...this.timeAxis(s));
    for (const series of this.options.series) parts.push(...this.lines(s, series));
    if (this.cursor !== null && this.data.at[this.cursor] !== undefined) {
      const x = s.x(this.data.at[this.cursor]);
      parts.push(svg('line', { class: 'cursor', x1: x, x2: x, y1: s.top, y2: s.height - s.bottom }));
    }
    if (!this.data.at.length) {
      parts.push(svg('text', { x: (s.left + s.width) / 2, y: s.height / 2 - 8, 'text-anchor': 'middle' }, 'The first sample comes within 10 seconds.'));
    }
    this.root.setAttribute('viewBox', `0 0 ${s.width} ${s.height}`);
    this.root.replaceChildren(...parts);
    this.root.setAttribute('aria-label', this.summary());
    this.legend();
  }

  timeAxis(s) {
    const step = { 2: 0.5, 5: 1, 15: s.width < 420 ? 5 : 3 }[s.span / MINUTE] * MINUTE, out = [];
    for (let back = 0; back <= s.span; back += step) {
      const x = s.x(this.now - back);
      const label = back === 0 ? 'now' : back < MINUTE ? '−' + back / 1000 + ' s' : '−' + trim(back / MINUTE) + ' min';
      out.push(svg('line', { class: 'axis', x1: x, x2: x, y1: s.height - s.bottom, y2: s.height - s.bottom + 4 }));
      out.push(svg('text', { x, y: s.height - 4, 'text-anchor': back === 0 ? 'end' : 'middle' }, label));
    }
    return out;
  }

  // A gap in the numbers is one in the line; a value alone is a dot.
  lines(s, series) {
    const values = this.data[series.key], out = [], runs = [];
    let run = null;
    values.forEach((v, i) => {
      if (v === null) { run = null; return; }
      if (!run) runs.push(run = []);
      run.push([s.x(this.data.at[i]), s.y(v)]);
    });
    for (const r of runs) {
      const path = r.map(([x, y], i) => (i ? 'L' : 'M') + x.toFixed(1) + ' ' + y.toFixed(1)).join('');
      if (series.fill && r.length > 1) {
        const base = s.height - s.bottom;
        out.push(svg('path', { class: 'fill ' + series.color, d: `${path}L${r[r.length - 1][0].toFixed(1)} ${base}L${r[0][0].toFixed(1)} ${base}Z` }));
      }
      const d = r.length === 1 ? path + 'h0.01' : path;
      out.push(svg('path', { class: `line ${series.color}${r.length === 1 ? ' alone' : ''}`, d, 'stroke-dasharray': r.length > 1 && series.dash || 'none' }));
    }
    return out;
  }

  legend() {
    const n = this.data.at.length, i = this.cursor === null ? n - 1 : this.cursor;
    const entries = this.options.series.map((series) => {
      const sample = svg('svg', { viewBox: '0 0 22 10', 'aria-hidden': 'true' },
        svg('line', { class: 'line ' + series.color, x1: 1, x2: 21, y1: 5, y2: 5, 'stroke-dasharray': series.dash || 'none' }));
      return html('span', {}, sample, series.label, html('b', {}, n ? this.options.format(this.data[series.key][i]) : '–'));
    });
    if (n) entries.push(html('span', { class: 'muted' }, this.cursor === null ? 'at ' + clock(this.data.at[i], true) + ' (latest)' : 'at ' + clock(this.data.at[i], true)));
    this.caption.replaceChildren(...entries);
  }

  // What a plot says to who cannot see it.
  summary() {
    const { at } = this.data, { title, series, format } = this.options;
    if (!at.length) return title + ': no sample yet';
    const said = series.map((s) => {
      const values = this.data[s.key];
      let most = -1;
      values.forEach((v, i) => { if (v !== null && (most < 0 || v > values[most])) most = i; });
      if (most < 0) return `${s.label}: nothing`;
      return `${s.label} now ${format(values[values.length - 1])}, at most ${format(values[most])} at ${clock(at[most], true)}`;
    });
    return `${title} since ${clock(at[0], true)}. ${said.join('. ')}. Left and right arrow keys read single samples.`;
  }

  pointAt(event) {
    if (!this.data || !this.data.at.length) return;
    const s = this.scales(), x = event.clientX - this.root.getBoundingClientRect().left;
    let best = 0;
    this.data.at.forEach((ms, i) => { if (Math.abs(s.x(ms) - x) < Math.abs(s.x(this.data.at[best]) - x)) best = i; });
    this.moveTo(best);
  }

  key(event) {
    const n = this.data ? this.data.at.length : 0;
    if (!n || !['ArrowLeft', 'ArrowRight', 'Home', 'End', 'Escape'].includes(event.key)) return;
    event.preventDefault();
    if (event.key === 'Escape') { this.moveTo(null); return; }
    const from = this.cursor === null ? n : this.cursor;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: n - 1 }[event.key];
    this.moveTo(Math.min(n - 1, Math.max(0, to)));
    const values = this.options.series.map((s) => s.label + ' ' + this.options.format(this.data[s.key][this.cursor]));
    say(clock(this.data.at[this.cursor], true) + ': ' + values.join(', '));
  }

  moveTo(cursor) {
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    this.draw();
  }
}

// Histogram draws how often scores were how large.
class Histogram {
  constructor(parent, title, what, axis) {
    this.title = title;
    this.axis = axis;
    this.root = svg('svg', { role: 'img' });
    this.box = html('div', { class: 'plot' }, this.root);
    this.note = html('p', { class: 'muted' });
    parent.append(html('div', { class: 'small' }, html('h3', {}, title), html('p', { class: 'muted' }, what), this.box, this.note));
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  show(counts) {
    this.counts = counts;
    this.draw();
  }

  draw() {
    if (!this.counts || !this.box.clientWidth) return;
    const width = this.box.clientWidth, height = this.box.clientHeight, bottom = 20, top = 16;
    const total = this.counts.reduce((a, b) => a + b, 0), most = Math.max(1, ...this.counts);
    const w = width / this.counts.length, parts = [];
    if (total) {
      this.counts.forEach((n, i) => {
        const h = n ? Math.max(2, n / most * (height - top - bottom)) : 0;
        parts.push(svg('rect', { class: 'bar', x: (i * w + 0.5).toFixed(1), width: Math.max(1, w - 1).toFixed(1), y: (height - bottom - h).toFixed(1), height: h.toFixed(1) }));
      });
      parts.push(svg('text', { x: 0, y: 11 }, 'most: ' + count(most)));
    } else {
      parts.push(svg('text', { x: width / 2, y: height / 2, 'text-anchor': 'middle' }, 'none yet'));
    }
    parts.push(svg('line', { class: 'axis', x1: 0, x2: width, y1: height - bottom, y2: height - bottom }));
    [[0, 'start'], [0.5, 'middle'], [1, 'end']].forEach(([at, anchor]) =>
      parts.push(svg('text', { x: at * width, y: height - 5, 'text-anchor': anchor }, String(at * this.axis))));
    this.root.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.root.replaceChildren(...parts);
    this.describe(total);
  }

  describe(total) {
    const at = (q) => {
      if (!total) return '';
      let sum = 0;
      const i = this.counts.findIndex((n) => (sum += n) >= q * total);
      return trim((i + 0.5) / this.counts.length * this.axis);
    };
    const middle = at(0.25) === at(0.75) ? `most near ${at(0.5)}` : `half between ${at(0.25)} and ${at(0.75)}`;
    const text = total ? `${count(total)} ${total === 1 ? 'result' : 'results'}, ${middle}` : '';
    this.note.textContent = text;
    this.root.setAttribute('aria-label', this.title + ': ' + (text || 'none yet'));
  }
}
