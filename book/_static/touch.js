/* Figures that can be touched. A page that has one loads D3 (version 5) and this file, and no other page does.

   Each .ws-touch holds a still drawing, which stays where no script runs and on paper, and its numbers as JSON. The
   function of KINDS named by data-kind builds the live figure from controls, panels and a sentence that says what there
   is to see; it returns the function that draws, which runs after every change. */
(() => {
  "use strict";

  const ink = (name) => `var(${name.startsWith("--") ? name : `--ws-${name}`})`;
  const number = (digits) => d3.format(`,.${digits}f`);
  const MARGIN = { top: 12, right: 12, bottom: 40, left: 46 };

  const joined = (parent, tag, data) => {
    const known = parent.selectAll(tag).data(data);
    known.exit().remove();
    return known.enter().append(tag).merge(known);
  };
  const path = (x, y) => d3.line().x(([a]) => x(a)).y(([, b]) => y(b));
  const symbol = (type, size) => d3.symbol().type(type).size(size)();
  const CROSS = {
    draw: (context, size) => {
      const r = Math.sqrt(size) / 2;
      [[-r, -r, r, r], [-r, r, r, -r]].forEach(([a, b, c, d]) => { context.moveTo(a, b); context.lineTo(c, d); });
    },
  };
  const ascending = (values) => values.slice().sort(d3.ascending);
  /* Uniform random numbers from 0 to 1, the same for the same seed (a linear congruential generator). */
  const uniform = (seed) => () => (seed = (1664525 * seed + 1013904223) >>> 0) / 2 ** 32;

  /* One system of axes. Its scales x and y hold after fit(); marks() joins data to elements of a layer. */
  class Panel {
    constructor(parent, { role = "img", xLabel, yLabel, ratio = 0.7, yScale = d3.scaleLinear, yFormat }) {
      this.svg = parent.append("svg").attr("role", role).attr("aria-label", `${yLabel} against ${xLabel}`);
      Object.assign(this, { ratio, yScale, yFormat });
      this.axes = ["x", "y"].map(() => this.svg.append("g"));
      this.names = [xLabel, yLabel].map((text) => this.svg.append("text").attr("class", "ws-name").text(text));
    }

    fit(xDomain, yDomain) {
      const width = this.svg.node().getBoundingClientRect().width || 320;
      const height = Math.round(width * this.ratio);
      this.svg.attr("viewBox", `0 0 ${width} ${height}`).attr("height", height);
      const [low, right] = [height - MARGIN.bottom, width - MARGIN.right];
      this.x = d3.scaleLinear().domain(xDomain).range([MARGIN.left, right]);
      this.y = this.yScale().domain(yDomain).range([low, MARGIN.top]);
      this.axes[0].attr("transform", `translate(0,${low})`).call(d3.axisBottom(this.x).ticks(5).tickSizeOuter(0));
      this.axes[1].attr("transform", `translate(${MARGIN.left},0)`).call(d3.axisLeft(this.y).ticks(5, this.yFormat).tickSizeOuter(0));
      this.names[0].attr("x", right).attr("y", height - 6).attr("text-anchor", "end");
      this.names[1].attr("transform", `translate(12,${MARGIN.top}) rotate(-90)`).attr("text-anchor", "end");
    }

    marks(layer, tag, data) {
      let group = this.svg.select(`g.${layer}`);
      if (group.empty()) group = this.svg.append("g").attr("class", layer);
      return joined(group, tag, data);
    }

    bars(layer, heights, limits, colour) {
      return this.marks(layer, "rect", heights)
        .attr("x", (_, k) => this.x(limits[k]))
        .attr("width", (_, k) => Math.max(0, this.x(limits[k + 1]) - this.x(limits[k]) - 0.5))
        .attr("y", (h) => this.y(h))
        .attr("height", (h) => this.y(this.y.domain()[0]) - this.y(h))
        .attr("fill", colour)
        .attr("fill-opacity", 0.35);
    }

    line(layer, points, colour, dash = null) {
      return this.marks(layer, "path", [points])
        .attr("d", path(this.x, this.y))
        .attr("fill", "none")
        .attr("stroke", colour)
        .attr("stroke-width", 2)
        .attr("stroke-dasharray", dash);
    }

    /* A vertical line with its name beside it, at a row of its own. */
    mark(layer, at, text, colour, row, dash = null) {
      this.line(layer, [[at, this.y.domain()[0]], [at, this.y.domain()[1]]], colour, dash);
      const beyond = at > d3.mean(this.x.domain());
      this.marks(`${layer}-name`, "text", [text])
        .attr("x", this.x(at) + (beyond ? -5 : 5))
        .attr("y", MARGIN.top + 12 + 16 * row)
        .attr("text-anchor", beyond ? "end" : "start")
        .attr("fill", colour)
        .text(text);
    }
  }

  /* Where a live figure is put together; draw() runs after every change and when the width changes. */
  class Stage {
    constructor(root) {
      const live = d3.select(root).append("div").attr("class", "ws-live");
      this.hint = live.append("p");
      this.tools = live.append("div").attr("class", "ws-tools");
      this.panels = live.append("div").attr("class", "ws-panels");
      this.output = live.append("output").attr("aria-live", "polite");
      this.draw = () => {};
      new ResizeObserver(() => this.draw()).observe(live.node());
    }

    panel(options) {
      return new Panel(this.panels, options);
    }

    control(label) {
      const field = this.tools.append("label");
      field.append("span").text(label);
      return field;
    }

    /* shown: how a value reads beside the slider, and to a screen reader */
    slider(label, { min, max, step = 1, value }, shown = String) {
      const field = this.control(label);
      const input = field.append("input").attr("type", "range").property("min", min).property("max", max)
        .property("step", step).property("value", value).node();
      const text = field.append("b");
      const tell = () => {
        text.text(shown(input.valueAsNumber));
        input.setAttribute("aria-valuetext", shown(input.valueAsNumber));
      };
      tell();
      input.addEventListener("input", () => { tell(); this.draw(); });
      return input;
    }

    choice(label, names) {
      const input = this.control(label).append("select");
      joined(input, "option", names).attr("value", (_, k) => k).text((name) => name);
      return input.on("change", () => this.draw()).node();
    }

    button(text, action) {
      return this.tools.append("button").attr("type", "button").text(text).on("click", () => { action(); this.draw(); });
    }

    say(text) {
      this.output.text(text);
    }
  }

  /* One logistic neuron with two inputs: the dual-weight rule, one sample at a time, and points that can be moved. */
  function plane(stage, { points, order, rate, updates }) {
    stage.hint.text("Drag a point, or all points of a kind by their disc; then let the neuron learn on.");
    const panel = stage.panel({ role: "group", xLabel: "x₁", yLabel: "x₂", ratio: 1 });
    const colours = { 1: ink("dual"), 0: ink("gradient-descent") };
    const words = { 1: "target", 0: "non-target" };
    const reach = [-3.5, 5];
    let state, moved, last, timer;
    const restart = () => {
      state = { w1: [0, 0], w2: [0, 0], b: 0, count: 0, trails: [[[0, 0]], [[0, 0]]] };
      moved = points.map(([x, y, kind]) => ({ x, y, kind }));
      last = null;
    };
    const sum = () => [state.w1[0] - state.w2[0], state.w1[1] - state.w2[1]];
    const output = ({ x, y }) => sum()[0] * x + sum()[1] * y + state.b;
    const step = (number) => {
      for (let k = 0; k < number; k++) {
        const sample = moved[order[state.count % order.length]];
        const g = 1 / (1 + Math.exp(-output(sample))) - sample.kind;
        const [w, r] = g < 0 ? [state.w1, -lr.valueAsNumber * g] : [state.w2, lr.valueAsNumber * g];
        w[0] += r * (sample.x - w[0]);
        w[1] += r * (sample.y - w[1]);
        state.b -= lr.valueAsNumber * g;
        state.count += 1;
        state.trails[g < 0 ? 0 : 1].push([...w]);
        last = { sample, g, r };
      }
    };
    const lr = stage.slider("learning rate", { min: 0.005, max: 0.1, step: 0.005, value: rate }, number(3));
    stage.button("1 update", () => step(1));
    stage.button("100 updates", () => step(100));
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
      const play = stage.button("play", () => {
        if (timer) timer.stop();
        timer = timer ? null : d3.interval(() => { step(10); stage.draw(); }, 50);
        play.text(timer ? "pause" : "play");
      });
    }
    stage.button("start over", restart);
    restart();
    step(updates);
    last = null;

    const shift = (which, dx, dy) => moved.filter(which).forEach((point) => { point.x += dx; point.y += dy; });
    const drag = (which) => d3.drag().on("drag", (datum) => {
      const scale = (panel.x.range()[1] - panel.x.range()[0]) / (reach[1] - reach[0]);
      shift(which(datum), d3.event.dx / scale, -d3.event.dy / scale);
      stage.draw();
    });
    const ARROWS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
    const tip = (at, colour) => { // an arrow from the origin, its head as part of the path
      const [x0, y0, x1, y1] = [panel.x(0), panel.y(0), panel.x(at[0]), panel.y(at[1])];
      const turn = Math.atan2(y1 - y0, x1 - x0);
      const wing = (side) => `L${x1 - 11 * Math.cos(turn + side)},${y1 - 11 * Math.sin(turn + side)}`;
      return { d: `M${x0},${y0}L${x1},${y1}${wing(0.4)}M${x1},${y1}${wing(-0.4)}`, x: x1, y: y1, colour };
    };
    return () => {
      panel.fit(reach, reach);
      const kinds = [1, 0];
      const centres = kinds.map((kind) => {
        const own = moved.filter((point) => point.kind === kind);
        return { kind, x: d3.mean(own, (point) => point.x), y: d3.mean(own, (point) => point.y) };
      });
      panel.marks("clouds", "circle", centres)
        .attr("cx", (c) => panel.x(c.x)).attr("cy", (c) => panel.y(c.y)).attr("r", 22)
        .attr("fill", (c) => colours[c.kind]).attr("fill-opacity", 0.12).attr("stroke", (c) => colours[c.kind])
        .attr("class", "ws-handle").attr("tabindex", 0).attr("role", "button")
        .attr("aria-label", (c) => `${words[c.kind]} points: move them all with the arrow keys`)
        .on("keydown", (c) => {
          const { key } = d3.event;
          if (!ARROWS[key]) return;
          d3.event.preventDefault();
          shift((point) => point.kind === c.kind, ...ARROWS[key]);
          stage.draw();
        })
        .call(drag((c) => (point) => point.kind === c.kind));
      panel.marks("points", "path", moved)
        .attr("d", (point) => symbol(point.kind ? d3.symbolCircle : CROSS, 34))
        .attr("transform", (point) => `translate(${panel.x(point.x)},${panel.y(point.y)})`)
        .attr("fill", (point) => (point.kind ? colours[1] : "none")).attr("stroke", (point) => colours[point.kind])
        .attr("opacity", (point) => (last && last.sample === point ? 1 : 0.5))
        .attr("stroke-width", (point) => (last && last.sample === point ? 4 : 1.5))
        .attr("class", "ws-handle")
        .call(drag((datum) => (point) => point === datum));
      const w = sum();
      const far = 20 / Math.hypot(...w);
      const foot = [-state.b * w[0], -state.b * w[1]].map((v) => v / (w[0] ** 2 + w[1] ** 2));
      const border = [[foot[0] - far * w[1], foot[1] + far * w[0]], [foot[0] + far * w[1], foot[1] - far * w[0]]];
      panel.line("border", w[0] || w[1] ? border : [], ink("muted"), "6 4").style("pointer-events", "none");
      panel.marks("trails", "path", state.trails).attr("d", path(panel.x, panel.y))
        .attr("fill", "none").attr("stroke", (_, k) => colours[1 - k]).style("pointer-events", "none");
      const tips = [tip(state.w1, colours[1]), tip(state.w2, colours[0]), tip(w, ink("ink"))];
      panel.marks("arrows", "path", tips).attr("d", (t) => t.d).attr("stroke", (t) => t.colour)
        .attr("fill", "none").attr("stroke-width", 2.5);
      panel.marks("arrow-names", "text", tips).attr("x", (t) => t.x + 6).attr("y", (t) => t.y - 6)
        .attr("fill", (t) => t.colour).text((_, k) => ["W1", "W2", "W = W1 − W2"][k]);
      const right = moved.filter((point) => (output(point) > 0) === (point.kind === 1)).length;
      const at = (v) => `(${v.map(number(3)).join(", ")})`;
      const what = last ? ` Last sample: ${words[last.sample.kind]}, g = ${number(3)(last.g)}, so `
        + `${last.g < 0 ? "W1" : "W2"} moves ${d3.format(".2~%")(last.r)} of its way to the sample and `
        + `${last.g < 0 ? "W2" : "W1"} rests.` : "";
      stage.say(`After ${number(0)(state.count)} updates W1 = ${at(state.w1)}, W2 = ${at(state.w2)}, W = ${at(w)}; `
        + `${right} of ${moved.length} points are on the right side.${what}`);
    };
  }

  /* Noise with one planted direction: the spectrum, and the largest eigenvalue against the strength. */
  function spike(stage, { sides, strengths, aspects }) {
    stage.hint.text("Make the planted direction stronger, and watch when an eigenvalue leaves the noise.");
    const aspect = stage.choice("aspect ratio Q", aspects.map(({ Q }) => `${Q}`));
    const strength = stage.slider("strength / threshold", { min: 0, max: strengths.length - 1, value: 0 },
      (k) => number(2)(strengths[k]));
    const left = stage.panel({ xLabel: "eigenvalue / N", yLabel: "density" });
    const right = stage.panel({ xLabel: "strength / threshold", yLabel: "largest eigenvalue / N" });
    aspect.value = aspects.findIndex(({ Q }) => Q === 2);
    return () => {
      const own = aspects[aspect.value];
      const k = strength.valueAsNumber;
      const values = own.eigenvalues[k];
      const top = d3.max(values);
      const reach = 1.05 * Math.max(...own.eigenvalues.map((all) => d3.max(all)));
      const limits = d3.range(0, 41).map((bin) => (bin * reach) / 40);
      const counts = limits.slice(1).map((high, bin) => values.filter((v) => v > limits[bin] && v <= high).length);
      const heights = counts.map((count) => count / values.length / (reach / 40));
      left.fit([0, reach], [0, 1.15 * Math.max(d3.max(heights), d3.quantile(ascending(own.law.map(([, y]) => y)), 0.95))]);
      left.bars("bars", heights, limits, ink("eigenvalues"));
      left.line("law", own.law.filter(([, y]) => y <= left.y.domain()[1]), ink("bulk"));
      left.mark("edge", own.edge, "edge of the noise", ink("bulk"), 0, "2 3");
      left.marks("largest", "path", [top]).attr("d", symbol(d3.symbolTriangle, 90))
        .attr("transform", `translate(${left.x(top)},${left.y(0) - 7})`).attr("fill", ink("edge"));
      right.fit([0, d3.max(strengths)], [0.9 * own.edge, reach]);
      right.line("limit", own.limit, ink("edge"));
      right.mark("threshold", 1, "threshold", ink("muted"), 0, "2 3");
      right.marks("all", "circle", own.eigenvalues.map((all) => d3.max(all)))
        .attr("cx", (_, j) => right.x(strengths[j])).attr("cy", (v) => right.y(v))
        .attr("r", (_, j) => (j === k ? 7 : 3.5)).attr("fill", (_, j) => (j === k ? ink("edge") : ink("eigenvalues")));
      const many = own.spikes[k] === 1 ? "1 spike" : `${own.spikes[k]} spikes`;
      const where = strengths[k] > 1
        ? `a large matrix would have it at ${number(2)(own.expected[k])}, outside the noise`
        : "up to the threshold a large matrix keeps it at the edge, hidden in the noise";
      stage.say(`${sides * own.Q} x ${sides} matrix, strength ${number(2)(strengths[k])} times the threshold: the `
        + `largest eigenvalue is ${number(2)(top)}, the edge of the noise ${number(2)(own.edge)}; ${where}. `
        + `The fit reports ${many}.`);
    };
  }

  /* Mean shifts of two categories of settings that do nothing, with one baseline for both or one for each. */
  function baseline(stage, { noise, levels }) {
    stage.hint.text("How much correlation do settings give that do nothing? Change the design, and draw again.");
    const DRAWS = 1000;
    let seed = 1;
    const shared = stage.choice("baseline", ["one for both", "one for each"]);
    const counts = ["first", "second"].map((name, k) =>
      stage.slider(`settings in the ${name} category`, { min: 1, max: 20, value: levels[k] }));
    const spread = stage.choice("noise of the layers", Object.keys(noise));
    stage.button("draw again", () => { seed += 1; });
    const left = stage.panel({ xLabel: "mean shift, first category", yLabel: "second category", ratio: 0.9 });
    const right = stage.panel({ xLabel: "correlation over layers", yLabel: "draws", ratio: 0.9 });
    return () => {
      const normal = d3.randomNormal.source(uniform(seed))();
      const scales = Object.values(noise)[spread.value];
      const one = shared.value === "0";
      const [na, nb] = counts.map((input) => input.valueAsNumber);
      const draw = () => scales.map((scale) => {
        const base = normal();
        return [scale * (normal() / Math.sqrt(na) - base), scale * (normal() / Math.sqrt(nb) - (one ? base : normal()))];
      });
      const pearson = (pairs) => {
        const [ma, mb] = [0, 1].map((k) => d3.mean(pairs, (pair) => pair[k]));
        const moment = (f) => d3.sum(pairs, ([a, b]) => f(a - ma, b - mb));
        return moment((a, b) => a * b) / Math.sqrt(moment((a) => a * a) * moment((_, b) => b * b));
      };
      const first = draw();
      const all = [pearson(first), ...d3.range(DRAWS - 1).map(() => pearson(draw()))];
      const expected = one ? 1 / Math.sqrt((1 + 1 / na) * (1 + 1 / nb)) : 0;
      const far = 1.1 * d3.max(first.flat(), Math.abs);
      left.fit([-far, far], [-far, far]);
      left.line("zero", [[-far, 0], [far, 0]], ink("grid"));
      left.line("nought", [[0, -far], [0, far]], ink("grid"));
      left.marks("layers", "circle", first).attr("cx", ([a]) => left.x(a)).attr("cy", ([, b]) => left.y(b))
        .attr("r", 4.5).attr("fill", ink("diversity")).attr("fill-opacity", 0.7);
      const limits = d3.range(-20, 21).map((k) => k / 20);
      const heights = limits.slice(1).map((high, k) => all.filter((r) => r > limits[k] && r <= high).length);
      right.fit([-1, 1], [0, 1.25 * d3.max(heights)]);
      right.bars("bars", heights, limits, ink("diversity"));
      right.mark("this", all[0], "this draw", ink("diversity"), 0);
      right.mark("expected", expected, "formula", ink("ink"), 1, "6 4");
      const [low, high] = [0.025, 0.975].map((p) => d3.quantile(ascending(all), p));
      stage.say(`No setting has any effect. With ${one ? "one baseline for both categories" : "a baseline for each"} the `
        + `correlation over ${scales.length} layers is ${number(2)(all[0])} in this draw; the formula gives `
        + `${number(2)(expected)}, and 95 % of ${number(0)(DRAWS)} draws lie between ${number(2)(low)} and `
        + `${number(2)(high)}.`);
    };
  }

  /* Densities of eigenvalues: one setting and epoch, with the baseline of that epoch and the initial weights. */
  function densities(stage, { limits, epochs, settings, start, layer }) {
    stage.hint.text("Choose a setting, and move through the epochs.");
    const setting = stage.choice("setting", settings.map(({ name }) => name));
    const epoch = stage.slider("epoch", { min: 0, max: epochs.length - 1, value: epochs.length - 1 },
      (k) => `${epochs[k]}`);
    const FLOOR = 0.005; // of a logarithmic axis
    const panel = stage.panel({ xLabel: "log₁₀ of the eigenvalue", yLabel: "density", ratio: 0.5, yScale: d3.scaleLog,
      yFormat: "~g" });
    setting.value = settings.length - 1;
    const steps = (heights) => heights.flatMap((h, k) => [limits[k], limits[k + 1]].map((x) => [x, Math.max(h, FLOOR)]));
    const top = 2 * d3.max([start, ...settings.flatMap(({ heights }) => heights)].flat());
    return () => {
      const k = epoch.valueAsNumber;
      const own = settings[setting.value];
      panel.fit(d3.extent(limits), [FLOOR, top]);
      panel.bars("own", own.heights[k].map((h) => Math.max(h, FLOOR)), limits, ink(own.colour));
      panel.line("start", steps(start), ink("muted"), "2 3");
      panel.line("reference", steps(settings[0].heights[k]), ink("ink"));
      const names = [[own.name, own.colour], ["baseline (line)", "ink"], ["initial weights (dotted)", "muted"]];
      panel.marks("names", "text", names).attr("x", MARGIN.left + 8).attr("y", (_, row) => MARGIN.top + 12 + 16 * row)
        .attr("fill", ([, colour]) => ink(colour)).text(([name]) => name);
      const [median, reference] = [own, settings[0]].map(({ medians }) => d3.format(".2~g")(medians[k]));
      stage.say(`${layer}, ${own.name}, after epoch ${epochs[k]}: the median eigenvalue is ${median}, with the baseline `
        + `${reference}.`);
    };
  }

  const KINDS = { plane, spike, baseline, densities };

  document.addEventListener("DOMContentLoaded", () => {
    for (const root of document.querySelectorAll(".ws-touch")) {
      const numbers = JSON.parse(root.querySelector("script").textContent);
      const stage = new Stage(root);
      stage.draw = KINDS[root.dataset.kind](stage, numbers);
      root.classList.add("ws-ready");
      stage.draw();
    }
  });
})();
