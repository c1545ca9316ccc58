/* A chart of the last minute on a canvas: the mean as an area, each core as a thin line.
   `chart.add({ at, mean, cores })` adds a point, `chart.gap()` ends the line; `chart.run(true)` lets time go on. */
'use strict';

class Chart {
  static SPAN = 60_000;

  #canvas;
  #pen;
  #points = []; // oldest first; null is a gap
  #running = false;
  #frame = 0;
  #ahead = 0; // the server's clock before ours
  #frozen = 0;
  #cursor; // gives the time that is pointed at
  #onRead;
  #still = matchMedia('(prefers-reduced-motion: reduce)');

  /** `onRead` gets the point that is pointed at, or nothing. */
  constructor(canvas, onRead) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext('2d');
    this.#onRead = onRead;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    canvas.addEventListener('pointermove', (event) => this.#pointAt(event.offsetX));
    canvas.addEventListener('pointerdown', (event) => this.#pointAt(event.offsetX));
    canvas.addEventListener('pointerleave', () => this.#read(undefined));
    canvas.addEventListener('blur', () => this.#read(undefined));
    canvas.addEventListener('keydown', (event) => this.#key(event));
  }

  get length() {
    return this.#points.filter(Boolean).length;
  }

  add(point) {
    const ahead = point.at - Date.now();
    // Clocks that differ move the right edge once, jitter does not.
    if (Math.abs(ahead - this.#ahead) > 1_000) this.#ahead = ahead;
    this.#points.push(point);
    const oldest = this.#now() - Chart.SPAN;
    while (this.#points.length > 2 && (this.#points[1]?.at ?? 0) < oldest) this.#points.shift();
    if (this.#still.matches || !this.#running) this.draw();
  }

  gap() {
    if (this.#points.at(-1)) this.#points.push(null);
  }

  run(running) {
    if (running === this.#running) return;
    if (!running) this.#frozen = this.#now();
    this.#running = running;
    cancelAnimationFrame(this.#frame);
    const step = () => {
      if (!this.#still.matches) this.draw();
      if (this.#running) this.#frame = requestAnimationFrame(step);
    };
    step();
  }

  #now() {
    return this.#running ? Date.now() + this.#ahead : this.#frozen;
  }

  #box() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    return { left: 40, top: 8, right: width - 8, bottom: height - 24, width, height };
  }

  draw() {
    const box = this.#box();
    if (box.width === 0) return;
    const scale = devicePixelRatio || 1;
    const [wide, high] = [Math.round(box.width * scale), Math.round(box.height * scale)];
    if (this.#canvas.width !== wide || this.#canvas.height !== high) {
      Object.assign(this.#canvas, { width: wide, height: high });
    }
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    const pen = this.#pen;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, box.width, box.height);

    const now = this.#now();
    const x = (at) => box.right - ((now - at) / Chart.SPAN) * (box.right - box.left);
    const y = (percent) => box.bottom - (percent / 100) * (box.bottom - box.top);
    this.#axes(box, y, colour, `12px ${style.fontFamily}`, scale);

    pen.save();
    pen.beginPath();
    pen.rect(box.left, 0, box.right - box.left, box.bottom + 1);
    pen.clip();
    pen.lineJoin = 'round';
    for (const run of this.#runs()) {
      const cores = run[run.length - 1].cores.length;
      pen.strokeStyle = colour('core');
      pen.globalAlpha = Math.max(0.12, 0.75 / Math.sqrt(cores || 1));
      pen.lineWidth = 1;
      for (let core = 0; core < cores; core++) this.#line(run, (point) => [x(point.at), y(point.cores[core] ?? 0)]);

      const mean = (point) => [x(point.at), y(point.mean)];
      const fill = pen.createLinearGradient(0, box.top, 0, box.bottom);
      fill.addColorStop(0, colour('accent'));
      fill.addColorStop(1, `${colour('accent')}00`); // `transparent` is black's
      pen.globalAlpha = 0.35;
      pen.fillStyle = fill;
      pen.beginPath();
      pen.moveTo(x(run[0].at), box.bottom);
      for (const point of run) pen.lineTo(...mean(point));
      pen.lineTo(x(run[run.length - 1].at), box.bottom);
      pen.fill();
      pen.globalAlpha = 1;
      pen.strokeStyle = colour('accent');
      pen.lineWidth = 2;
      this.#line(run, mean);
    }
    this.#drawCursor(box, x, y, colour);
    pen.restore();
  }

  #axes(box, y, colour, font, scale) {
    const pen = this.#pen;
    pen.font = font;
    pen.lineWidth = 1 / scale;
    pen.strokeStyle = colour('line');
    pen.fillStyle = colour('muted');
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    for (const percent of [0, 25, 50, 75, 100]) {
      const at = Math.round(y(percent) * scale) / scale;
      pen.beginPath();
      pen.moveTo(box.left, at);
      pen.lineTo(box.right, at);
      pen.stroke();
      pen.fillText(`${percent}%`, box.left - 6, at);
    }
    pen.textBaseline = 'alphabetic';
    const step = box.width < 480 ? 20 : 10;
    for (let seconds = 60; seconds >= 0; seconds -= step) {
      const at = box.right - (seconds / 60) * (box.right - box.left);
      pen.textAlign = seconds === 0 ? 'right' : seconds === 60 ? 'left' : 'center';
      pen.fillText(seconds === 0 ? 'now' : `${seconds} s`, at, box.height - 6);
    }
  }

  #line(run, place) {
    this.#pen.beginPath();
    for (const point of run) this.#pen.lineTo(...place(point));
    this.#pen.stroke();
  }

  /** The points between gaps. */
  #runs() {
    const runs = [[]];
    for (const point of this.#points) {
      if (point) runs.at(-1).push(point);
      else runs.push([]);
    }
    return runs.filter((run) => run.length > 0);
  }

  #drawCursor(box, x, y, colour) {
    const point = this.#pointed();
    this.#onRead(point);
    if (!point) return;
    const pen = this.#pen;
    pen.strokeStyle = colour('muted');
    pen.lineWidth = 1;
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(x(point.at), box.top);
    pen.lineTo(x(point.at), box.bottom);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = colour('accent');
    pen.strokeStyle = colour('raised');
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x(point.at), y(point.mean), 5, 0, 2 * Math.PI);
    pen.fill();
    pen.stroke();
  }

  /** The points that are shown. */
  #shown() {
    const oldest = this.#now() - Chart.SPAN;
    return this.#points.filter((point) => point && point.at >= oldest);
  }

  #pointed() {
    if (!this.#cursor) return undefined;
    const at = this.#cursor();
    const away = (point) => Math.abs(point.at - at);
    return this.#shown().reduce((best, point) => (best && away(best) <= away(point) ? best : point), undefined);
  }

  /** Time passes beneath the pointer. */
  #pointAt(offset) {
    const { left, right } = this.#box();
    const part = Math.min(1, Math.max(0, (right - offset) / (right - left)));
    this.#read(() => this.#now() - part * Chart.SPAN);
  }

  /** A point that was chosen by a key stays chosen. */
  #key(event) {
    if (event.key === 'Escape') return this.#read(undefined);
    const shown = this.#shown();
    const last = shown.length - 1;
    const current = shown.indexOf(this.#pointed());
    const beside = (step) => (current < 0 ? last : current + step);
    const next = { ArrowLeft: beside(-1), ArrowRight: beside(1), Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const point = shown[Math.min(last, Math.max(0, next))];
    if (point) this.#read(() => point.at);
  }

  #read(cursor) {
    this.#cursor = cursor;
    this.draw();
  }
}
