"use strict";
// What the page does beyond being read: a moment that pictures and numbers follow, the map of the heap, tables that sort.
// Texts are only ever put in as text. Without this script the page says all of it, for the peak and the end.
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  const all = (what, from = document) => [...from.querySelectorAll(what)];
  const put = (element, text) => { if (element) element.textContent = text; };
  const data = JSON.parse($("data").textContent);
  const map = data.map || null;
  root.classList.add("js");

  // Numbers as the rest of the page writes them.
  const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
  const count = (n) => n.toLocaleString("en");
  const many = (n, what) => count(n) + " " + what + (n === 1 ? "" : "s");
  const size = (bytes) => {
    if (Math.abs(bytes) < 10000) return count(bytes) + " B";
    let unit = 0;
    while (Math.abs(bytes) >= 1023.95 && unit < 4) { bytes /= 1024; unit++; }
    return rounded(bytes) + " " + UNITS[unit];
  };
  const rounded = (x) => { // to one decimal; what lies in the middle goes to the even one
    const tenths = x * 10, low = Math.floor(tenths);
    return ((tenths - low === 0.5 ? low + (low & 1) : Math.round(tenths)) / 10).toFixed(1);
  };
  const span = (low, high) => { // 5.3 - 12.7 MiB
    const [a, b] = [size(low), size(high)];
    return (a.slice(-3) === b.slice(-3) ? a.slice(0, -4) : a) + " - " + b;
  };
  const time = (ns) => {
    for (const [least, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "us"]]) if (ns >= least) return (ns / least).toFixed(2) + " " + unit;
    return ns + " ns";
  };

  // Samples: each column tells what it adds to the one before.
  const series = {};
  for (const name in data.columns || {}) {
    let sum = 0;
    series[name] = data.columns[name].map((change) => (sum += change));
  }
  const samples = series.event ? series.event.length : 0;
  const nearest = (sorted, value) => {
    let low = 0, high = sorted.length - 1;
    while (low < high) { const middle = (low + high) >> 1; if (sorted[middle] < value) low = middle + 1; else high = middle; }
    return low && value - sorted[low - 1] <= sorted[low] - value ? low - 1 : low;
  };

  // What is shown stands in the address of the page: #at=EVENT&by=AXIS&colour=NAME.
  const COLOURS = ["occupancy", "kind", "dead", "spanclass", "age", "type", "who"];
  const state = { at: samples - 1, by: samples ? data.axes[0] : "", colour: "occupancy" };
  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (samples && /^\d{1,15}$/.test(asked.get("at") || "")) state.at = nearest(series.event, Number(asked.get("at")));
    if (samples && data.axes.includes(asked.get("by"))) state.by = asked.get("by");
    if (COLOURS.includes(asked.get("colour")) && map && (asked.get("colour") === "occupancy" || map.planes.includes(asked.get("colour")))) state.colour = asked.get("colour");
  };
  let writing = 0;
  const write = () => {
    clearTimeout(writing);
    writing = setTimeout(() => {
      const hash = "#at=" + (samples ? series.event[state.at] : 0) + "&by=" + state.by + "&colour=" + state.colour;
      try { history.replaceState(null, "", hash); } catch (error) { /* a browser may refuse this for files */ }
    }, 200);
  };

  // Over time.
  const plot = $("plot"), slider = $("moment"), hand = $("hand");
  const SUMS = { heap_alloc: ["heap_alloc"], heap_inuse: ["heap_inuse"], next_gc: ["next_gc"] };
  const place = (value) => {
    const axis = series[state.by], low = axis[0], high = axis[samples - 1];
    return high > low ? (1000 * (value - low)) / (high - low) : 1000;
  };
  const where = (i) => {
    const why = data.reasons[series.reason[i]];
    return "Event " + count(series.event[i]) + (series.time_ns[samples - 1] ? ", " + time(series.time_ns[i]) : "") +
      ", " + many(series.num_gc[i], "GC") + (why === "every" ? "" : ": " + why);
  };
  const show = () => {
    if (!samples) return;
    const i = state.at;
    put($("when"), where(i));
    for (const [key, columns] of data.layers) put($("read-" + key), size(columns.reduce((sum, name) => sum + series[name][i], 0)));
    for (const name in SUMS) put($("read-" + name), size(series[name][i]));
    put($("read-kept"), size(series.heap_sys[i] - series.heap_released[i]));
    put($("read-rss"), span(series.rss_low[i], series.rss_high[i]));
    const x = place(series[state.by][i]);
    hand.setAttribute("x1", x); hand.setAttribute("x2", x);
    slider.value = i;
    slider.setAttribute("aria-valuetext", where(i) + ", HeapInuse " + size(series.heap_inuse[i]));
    draw(false);
    write();
  };
  const lay = () => {
    const xs = series[state.by].map((value) => Math.round(place(value)));
    const down = (value) => Math.min(1000, Math.max(0, Math.round(1000 - (1000 * value) / data.top)));
    let low = new Array(samples).fill(0);
    for (const [key, columns] of data.layers) {
      const high = low.map((sum, i) => columns.reduce((s, name) => s + series[name][i], sum));
      let path = "";
      for (let i = 0; i < samples; i++) path += (i ? "L" : "M") + xs[i] + " " + down(high[i]);
      for (let i = samples - 1; i >= 0; i--) path += "L" + xs[i] + " " + down(low[i]);
      for (const area of all("path[data-layer]", plot)) if (area.dataset.layer === key) area.setAttribute("d", path + "z");
      low = high;
    }
    $("inuse-line").setAttribute("d", series.heap_inuse.map((value, i) => (i ? "L" : "M") + xs[i] + " " + down(value)).join(""));
    let path = "", last = -1;
    series.next_gc.forEach((goal, i) => {
      if (goal <= 0 || goal > 4 * data.top) return;
      const y = down(goal);
      if (y !== last) path += path ? "H" + xs[i] + "V" + y : "M" + xs[i] + " " + y;
      last = y;
    });
    $("goal-line").setAttribute("d", path && path + "H1000");
    const peak = xs[nearest(series.event, data.peak)];
    $("peak-line").setAttribute("x1", peak); $("peak-line").setAttribute("x2", peak);
    all(".mark").forEach((mark, k) => { mark.setAttribute("x1", xs[data.ends[k]]); mark.setAttribute("x2", xs[data.ends[k]]); });
    const axis = series[state.by], first = axis[0], width = axis[samples - 1] - first;
    const told = state.by === "time_ns" ? time : state.by === "total_alloc" ? size : count;
    all(".below .x text").forEach((text, k) => put(text, told(Math.floor(first + (width * k) / 4))));
    for (const button of all("[data-axis]")) button.setAttribute("aria-pressed", String(button.dataset.axis === state.by));
  };
  if (samples) {
    slider.max = samples - 1;
    slider.addEventListener("input", () => { state.at = Number(slider.value); show(); });
    const point = (event) => {
      const box = plot.getBoundingClientRect(), axis = series[state.by];
      state.at = nearest(axis, axis[0] + ((event.clientX - box.left) / box.width) * (axis[samples - 1] - axis[0]));
      show();
    };
    plot.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" || event.buttons) point(event); });
    plot.addEventListener("pointerdown", point);
    for (const button of all("[data-step]")) button.addEventListener("click", () => {
      const to = button.dataset.step;
      if (to === "end") state.at = samples - 1;
      else if (to === "peak") state.at = nearest(series.event, data.peak);
      else if (to === "after") state.at = data.ends.find((i) => i > state.at) ?? samples - 1;
      else state.at = [...data.ends].reverse().find((i) => i < state.at) ?? 0;
      show();
    });
    for (const button of all("[data-axis]")) button.addEventListener("click", () => { state.by = button.dataset.axis; lay(); show(); });
  }

  // The heap map.
  const canvas = $("map");
  let frames = null, shown = -1, columns = 128, rows = 1, tint = {};
  const value = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const rgb = (hex) => { const n = parseInt(hex.slice(1), 16); return [n >> 16, (n >> 8) & 255, n & 255]; };
  const mix = (a, b, part) => a.map((x, k) => Math.round(x + (b[k] - x) * part));
  const hue = (number, light) => { // neighbouring numbers get colours that are far apart
    const h = (number * 137.508 + 200) % 360, a = 0.45 * Math.min(light, 1 - light);
    return [0, 8, 4].map((k) => { const q = (k + h / 30) % 12; return Math.round(255 * (light - a * Math.max(-1, Math.min(q - 3, 9 - q, 1)))); });
  };
  const dye = () => {
    for (const name of ["requested", "unswept", "free", "idle", "cached", "closed", "large", "stack", "work", "card", "metadata"]) tint[name] = rgb(value("--" + name));
    tint.dark = value("--bg").startsWith("#1");
    tint.ground = [tint.closed, tint.idle, mix(tint.idle, tint.closed, 0.7), mix(tint.cached, tint.idle, 0.4), null, null, tint.stack, tint.work];
  };
  const named = (number) => (number === 0 ? mix(tint.metadata, tint.card, 0.35) : number > 12 ? mix(tint.metadata, tint.card, 0.7) : hue(number, tint.dark ? 0.62 : 0.47));
  const PAINT = {
    kind: (f, i) => (f.kind[i] === map.large ? tint.large : tint.requested),
    occupancy: (f, i) => f.kind[i] === map.large ? (f.occupancy[i] ? tint.requested : tint.unswept)
      : f.occupancy[i] ? mix(tint.free, tint.requested, f.occupancy[i] / 100) : f.dead[i] ? tint.unswept : mix(tint.free, tint.card, 0.6),
    dead: (f, i) => mix(mix(tint.requested, tint.card, 0.75), tint.unswept, Math.min(1, f.dead[i] / 60)),
    spanclass: (f, i) => (f.spanclass[i] < 2 ? tint.large : hue(f.spanclass[i] >> 1, f.spanclass[i] & 1 ? (tint.dark ? 0.75 : 0.68) : (tint.dark ? 0.52 : 0.42))),
    age: (f, i) => mix(mix(tint.requested, tint.card, 0.8), tint.requested, Math.min(1, Math.log2(1 + f.age[i]) / Math.log2(2 + Math.min(data.cycles || 0, 255)))),
    type: (f, i) => named(f.type[i]),
    who: (f, i) => named(f.who[i]),
  };
  const LEGEND = {
    kind: "Blue: spans of objects; the deep or pale ones are large.",
    occupancy: "Blue: full of live objects. Red: a few survivors hold the page. Pale red: nothing lives there. Amber: only dead objects.",
    dead: "Amber: how much of the span is dead.",
    spanclass: "A hue for each size class; the lighter of two is noscan.",
    age: "The deeper, the more GC cycles the span has lived.",
    type: "The type of an object that lives there: the twelve on most pages; brown: not looked at, or not known.",
    who: "Who allocated what lives there.",
  };
  const unpack = async () => {
    const packed = Uint8Array.from(atob(map.data), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const step = map.cells * map.planes.length;
    for (let i = step; i < bytes.length; i++) bytes[i] += bytes[i - step];
    frames = map.frames.map((_, f) => Object.fromEntries(map.planes.map((name, k) => [name, bytes.subarray(f * step + k * map.cells, f * step + (k + 1) * map.cells)])));
  };
  const draw = (again) => {
    if (!frames) return;
    const f = nearest(map.frames.map((frame) => frame.event), samples ? series.event[state.at] : Infinity);
    if (f === shown && !again) return;
    shown = f;
    const frame = frames[f], paint = PAINT[state.colour], width = canvas.parentElement.clientWidth;
    columns = map.cells <= 2048 ? 64 : 128;
    if (width < 420) columns /= 2;
    rows = Math.ceil(map.cells / columns);
    const side = Math.max(2, Math.floor(width / columns)) * Math.min(2, Math.ceil(window.devicePixelRatio || 1));
    const pixels = new ImageData(columns, rows), d = pixels.data;
    for (let i = 0; i < columns * rows; i++) {
      const c = i < map.cells ? tint.ground[frame.kind[i]] || paint(frame, i) : tint.card;
      d[4 * i] = c[0]; d[4 * i + 1] = c[1]; d[4 * i + 2] = c[2]; d[4 * i + 3] = 255;
    }
    const small = document.createElement("canvas");
    small.width = columns; small.height = rows;
    small.getContext("2d").putImageData(pixels, 0, 0);
    canvas.width = columns * side; canvas.height = rows * side;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    if (side >= 8) {
      pen.fillStyle = value("--card");
      for (let c = 1; c < columns; c++) pen.fillRect(c * side, 0, 1, canvas.height);
      for (let r = 1; r < rows; r++) pen.fillRect(0, r * side, canvas.width, 1);
    }
    ring(pen, side);
    tell(f);
  };
  const ring = (pen, side) => {
    if (kept < 0) return;
    pen.strokeStyle = value("--ink"); pen.lineWidth = 2;
    pen.strokeRect((kept % columns) * side + 1, Math.floor(kept / columns) * side + 1, side - 2, side - 2);
  };
  const tell = (f) => {
    const moment = map.frames[f], small = moment.pages[map.small];
    put($("map-when"), "Event " + count(moment.event) + (moment.time_ns ? ", " + time(moment.time_ns) : "") +
      (moment.why === "gc" ? ", a GC has just ended" : moment.why === "end" ? ", the end" : ""));
    put($("map-says"), small ? ((100 * moment.thin_pages) / small).toFixed(1) + "% of the pages in spans of small objects are less than half live." : "There is no span of small objects.");
    moment.pages.forEach((pages, k) => put($("kind-" + k), size(pages * map.page_bytes)));
    put($("map-legend"), LEGEND[state.colour] + " Grey: free, paler where released. Green: stacks. Violet: GC work buffers.");
    const keys = $("map-keys");
    keys.textContent = "";
    const names = state.colour === "type" ? map.types : state.colour === "who" ? map.who || [] : [];
    names.slice(1, 13).forEach((name, k) => {
      const item = document.createElement("li"), swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const square = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [key, v] of [["width", 12], ["height", 12], ["rx", 3], ["fill", "rgb(" + named(k + 1) + ")"]]) square.setAttribute(key, v);
      swatch.setAttribute("class", "swatch"); swatch.setAttribute("aria-hidden", "true");
      swatch.append(square); item.append(swatch, name); keys.append(item);
    });
    if (kept >= 0) put($("held"), holds(kept));
  };
  // What lies in a cell, in a line; and what would have to die for it to be free, in a sentence.
  const address = (i) => "0x" + (map.first_addr + i * map.cell_pages * map.page_bytes).toString(16);
  const lies = (i) => {
    const frame = frames[shown], kind = frame.kind[i], parts = [address(i) + ": " + map.names[kind]];
    if (kind === map.small || kind === map.large) {
      const about = map.classes[frame.spanclass[i]];
      if (kind === map.small && about) parts.push(about[0]);
      parts.push(frame.occupancy[i] + "% live" + (frame.dead[i] ? ", " + frame.dead[i] + "% dead" : ""), "lived through " + many(frame.age[i], "GC"));
      if (frame.type[i] && map.types[frame.type[i]]) parts.push("holds " + map.types[frame.type[i]]);
      if (frame.who && frame.who[i] && map.who[frame.who[i]]) parts.push("from " + map.who[frame.who[i]]);
    }
    return parts.join(", ");
  };
  const holds = (i) => {
    const frame = frames[shown], kind = frame.kind[i], about = map.classes[frame.spanclass[i]], live = frame.live[i];
    const cell = map.cell_pages * map.page_bytes;
    if (kind !== map.small && kind !== map.large) return address(i) + ": " + map.names[kind] + "; no object holds it.";
    const type = map.types[frame.type[i]] ? " (" + map.types[frame.type[i]] + (kind === map.small && live > 1 ? " and others" : "") + ")" : "";
    if (kind === map.large) return address(i) + (live ? ": one large object" + type + " holds these pages; it alone would have to die." : ": a large object that is dead" + type + "; the next sweep frees it.");
    const more = live === 255 ? "at least " : "";
    if (map.cell_pages > 1) return address(i) + ": " + more + many(live, "object") + type + " live in the spans of this cell of " + size(cell) + ".";
    const span = about ? about[3] * map.page_bytes : cell, slot = about ? about[1] : 0;
    if (!live) return address(i) + ": nothing lives in this span of " + size(span) + "; the next sweep frees it, unless a P holds it.";
    return address(i) + ": " + (live === 1 ? "this object" : "these " + more + many(live, "object")) + " of " + (about ? about[0] : "its class") + type + ", " +
      more + size(live * slot) + ", " + (live === 1 ? "holds " : "hold ") + size(span) + "; " + (live === 1 ? "it" : "all of them") + " would have to die for the span to return.";
  };
  let at = 0, kept = -1;
  const walk = (i) => { if (frames && i >= 0 && i < map.cells) { at = i; put($("cell"), lies(i)); } };
  const keep = () => { if (frames && at < map.cells) { kept = at; put($("held"), holds(at)); draw(true); } };
  if (map) {
    const under = (event) => {
      const box = canvas.getBoundingClientRect();
      return Math.floor(((event.clientY - box.top) / box.height) * rows) * columns + Math.floor(((event.clientX - box.left) / box.width) * columns);
    };
    canvas.addEventListener("pointermove", (event) => walk(under(event)));
    canvas.addEventListener("click", (event) => { walk(under(event)); keep(); });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (event.key === "Enter" || event.key === " ") keep();
      else if (by) walk(Math.min(map.cells - 1, Math.max(0, at + by)));
      else return;
      event.preventDefault();
    });
    for (const button of all("[data-colour]")) button.addEventListener("click", () => { state.colour = button.dataset.colour; press(); draw(true); write(); });
    new ResizeObserver(() => draw(true)).observe(canvas.parentElement);
    let playing = 0;
    const play = $("play");
    const stop = () => { clearInterval(playing); playing = 0; put(play, "Play"); };
    play.addEventListener("click", () => {
      if (playing) { stop(); return; }
      if (!frames || !samples) return;
      put(play, "Stop");
      let f = shown >= map.frames.length - 1 ? 0 : shown;
      playing = setInterval(() => {
        if (f >= map.frames.length) { stop(); return; }
        state.at = nearest(series.event, map.frames[f++].event);
        show();
      }, 180);
    });
  }
  const press = () => { for (const button of all("[data-colour]")) button.setAttribute("aria-pressed", String(button.dataset.colour === state.colour)); };

  // Tables: a click on a head sorts, largest first; the filter takes all of them.
  for (const table of all("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button"; button.textContent = head.textContent; head.textContent = "";
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0], key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
        const order = (a, b) => { const x = key(a), y = key(b), d = x - y; return Number.isNaN(d) ? (x < y ? -1 : x > y ? 1 : 0) : d; };
        const body_rows = [...body.rows].filter((row) => !row.classList.contains("total"));
        const totals = [...body.rows].filter((row) => row.classList.contains("total"));
        body.append(...body_rows.sort((a, b) => (down ? order(b, a) : order(a, b))), ...totals);
      });
    });
  }
  const filter = $("filter");
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const part of all("#all-tables details")) {
      const lines = all("tbody tr", part);
      for (const line of lines) line.hidden = wanted !== "" && !line.textContent.toLowerCase().includes(wanted);
      if (wanted) part.open = lines.some((line) => !line.hidden);
    }
  });
  window.addEventListener("beforeprint", () => { for (const part of all("details")) part.open = true; });

  // Light and dark.
  const redye = () => { dye(); draw(true); };
  $("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    redye();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redye);
  window.addEventListener("hashchange", () => { read(); press(); if (samples) lay(); show(); });

  read(); press(); dye();
  if (samples && state.by !== data.axes[0]) lay();
  show();
  const ready = () => { root.dataset.ready = "1"; };
  if (!map) ready();
  // A browser that cannot unpack shows the pictures that the page has for paper.
  else unpack().then(() => draw(true), () => root.classList.add("nomap")).then(ready);
})();
