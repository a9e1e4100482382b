"use strict";
(() => {
  const POLL_MS = 5000;
  const root = document.body.dataset.root;

  // Times are written in UTC; here they become local, with UTC on hover.
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const localTimes = (within) => {
    const today = new Date().toDateString();
    for (const time of within.querySelectorAll("time")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime()))
        time.textContent = (at.toDateString() === today ? clock : calendar).format(at);
    }
  };

  // Charts: uPlot is loaded by the pages that have one.
  let charts;
  const library = () => {
    charts ??= new Promise((done, failed) => {
      const styles = document.createElement("link");
      styles.rel = "stylesheet";
      styles.href = document.body.dataset.chartStyles;
      const script = document.createElement("script");
      script.src = document.body.dataset.charts;
      script.onload = done;
      script.onerror = failed;
      document.head.append(styles, script);
    });
    return charts;
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const draw = async (place) => {
    await library();
    const { names, data } = JSON.parse(place.dataset.chart);
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const strokes = [colour("--accent"), colour("--good")];
    const width = () => Math.max(place.clientWidth, 200);
    const scales = names.map((_, index) => `y${index}`);
    place.replaceChildren();
    const chart = new uPlot(
      {
        width: width(),
        height: 190,
        cursor: { y: false },
        series: [
          { value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
          ...names.map((label, index) => ({
            label,
            scale: scales[index],
            stroke: strokes[index % strokes.length],
            fill: index === 0 ? `${strokes[0]}1f` : undefined,
            width: 1.5,
            points: { show: false },
          })),
        ],
        scales: Object.fromEntries(scales.map((scale) => [scale, { range: (_, __, max) => [0, Math.max(max * 1.1, 1)] }])),
        axes: [
          { ...axis, values: [[3600, "{HH}:{mm}"], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"]] },
          ...scales.map((scale, index) => ({ ...axis, scale, size: 64, side: index === 0 ? 3 : 1, grid: index === 0 ? axis.grid : { show: false } })),
        ],
      },
      data,
      place,
    );
    new ResizeObserver(() => chart.setSize({ width: width(), height: 190 })).observe(place);
  };
  const prepare = (within) => {
    localTimes(within);
    for (const place of within.querySelectorAll("[data-chart]")) draw(place).catch(() => {});
  };

  // Live: the server says when there is a new look; where it cannot, the page asks by itself.
  const busy = () => document.hidden || (getSelection()?.toString() ?? "") !== "" ||
    document.querySelector("#live details[open]") !== null;
  const look = () => {
    if (!busy()) document.body.dispatchEvent(new Event("look"));
  };
  const listen = () => {
    let polling;
    const poll = () => (polling ??= setInterval(look, POLL_MS));
    if (!("EventSource" in window)) return poll();
    const source = new EventSource(`${root}/live`);
    source.addEventListener("look", look);
    source.onopen = () => {
      clearInterval(polling);
      polling = undefined;
    };
    source.onerror = poll;
    addEventListener("pagehide", () => source.close());
  };

  // Where the reader was stays where it was.
  let focused;
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const active = document.activeElement;
    focused = active?.closest("#live") ? { href: active.getAttribute("href"), text: active.textContent } : undefined;
    // A page that says what is wrong is shown like any other.
    if (event.detail.xhr.status >= 400 && event.detail.xhr.status !== 401) event.detail.shouldSwap = true;
    if (event.detail.xhr.status === 401) location.reload();
  });
  document.body.addEventListener("htmx:afterSettle", () => {
    const live = document.getElementById("live");
    if (live) prepare(live);
    if (focused) {
      const same = [...(live?.querySelectorAll("a, [tabindex]") ?? [])].find(
        (each) => each.getAttribute("href") === focused.href && each.textContent === focused.text,
      );
      same?.focus({ preventScroll: true });
    }
  });

  // The theme, by a button that needs this script.
  const button = document.getElementById("theme");
  const dark = () =>
    (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => (button.textContent = dark() ? "Light" : "Dark");
  button.hidden = false;
  name();
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("outbox-theme", document.documentElement.dataset.theme);
    } catch {
      // Kept for this page alone.
    }
    name();
    prepare(document);
  });

  // Keys: "/" finds; "g" and a letter goes to a screen.
  let going = false;
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      document.getElementById("find")?.focus();
    } else if (going) {
      const screens = [...document.querySelectorAll(".menu a")];
      screens.find((each) => each.dataset.key === event.key)?.click();
    }
    going = event.key === "g";
  });

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    for (const each of event.target.querySelectorAll("button")) setTimeout(() => (each.disabled = true));
  });

  prepare(document);
  if (document.querySelector("[data-live]")) listen();
})();
