/* The page of a policy: one text, which sliders, form and hand change alike; figures follow. */
"use strict";
(() => {
  const page = document.querySelector("[data-policy]");
  if (!page) return;
  const { words, notice, send } = window.studio;
  const $ = (name) => page.querySelector(`[data-${name}]`);
  const area = document.getElementById("yaml");
  const path = page.dataset.path;
  const DEBOUNCE = 60, TYPED = 350, DEEPER = 500;

  let saved = area.value, text = area.value, digest = page.dataset.digest;
  let theirs = null, seq = 0, timer = 0, typing = 0, deeper = 0, asking = null;
  let editing = Promise.resolve();  // edits of the form, one after the other
  const pending = new Map();  // moves that no answer has put into the text yet
  const past = [];
  let drawn = text;  // the text whose values the form shows

  const scores = () => ($("scores") ? $("scores").value : "");
  const content = (more) => ({ path, text, scores: scores(), ...more });

  const showState = () => {
    const dirty = text !== saved;
    document.querySelector("[data-dirty]").hidden = !dirty;
    $("save").disabled = !dirty;
    $("revert").disabled = !dirty;
    $("undo").disabled = past.length === 0;
  };
  window.addEventListener("beforeunload", (event) => { if (text !== saved || pending.size) event.preventDefault(); });

  /* Take another text: remembered for undo, shown in the area, told of. */
  const take = (next, { quiet = false } = {}) => {
    if (next === text) return;
    past.push(text);
    if (past.length > 200) past.shift();
    text = next;
    if (!quiet) area.value = next;
    showState();
  };

  const showFaults = (faults) => {
    const list = $("text-faults");
    list.replaceChildren(...faults.map((fault) => window.studio.element("li", fault.text)));
    area.setAttribute("aria-invalid", String(faults.length > 0));
    $("plan").disabled = faults.length > 0;
    page.querySelector("#tab-form").toggleAttribute("data-faulty", faults.length > 0);
  };

  const fail = (faults) => {
    $("faults").replaceChildren(...faults.map((fault) => window.studio.element("p", fault.text)));
  };

  /* ---- figures ---- */
  const outlook = $("outlook"), state = $("state");
  const stale = () => { outlook.classList.add("stale"); $("brief").classList.add("deeper-stale"); state.textContent = words.stale; };

  /* Whatever is being asked is out of date: its answer must not touch the text any more. */
  const supersede = () => {
    seq += 1;
    if (asking) asking.abort();
    asking = null;
    clearTimeout(timer);
    clearTimeout(deeper);
    stale();
  };
  const soon = (keep = false) => { clearTimeout(timer); timer = setTimeout(() => move(keep), DEBOUNCE); };

  /* Ask for the figures of the text with what is pending; `keep` leaves the fault that is shown.
     Return whether they were given, or the hand has moved on. */
  const move = async (keep = false) => {
    await editing;
    supersede();
    const mine = seq;
    const sent = [...pending];
    asking = new AbortController();
    const began = performance.now();
    let answer;
    try {
      const changes = sent.map(([, change]) => change);
      answer = await send("/policy/move", content({ seq: mine, changes }), asking.signal);
    } catch { return true; }  // given up for a newer one
    if (mine !== seq) return true;
    if (answer.status === 0) {
      state.textContent = words.offline;
      fail(answer.content.faults);
      return false;
    }
    sent.forEach(([slider, change]) => { if (pending.get(slider) === change) pending.delete(slider); });
    if (!answer.ok) { fail(answer.content.faults); outlook.classList.remove("stale"); state.textContent = ""; return false; }
    const found = answer.content;
    take(found.text);
    if (!keep) fail([]);
    showFaults(found.faults);
    $("prepare").hidden = !found.prepare;
    if (found.prepare || found.faults.length) {
      state.textContent = "";
      if (found.faults.length) fail(found.faults);
      return true;
    }
    const isCurrent = pending.size === 0;  // the hand may have moved on meanwhile
    outlook.classList.toggle("stale", !isCurrent);
    $("brief").replaceChildren(...window.studio.element("span", found.brief).childNodes);
    $("brief").classList.toggle("deeper-stale", !isCurrent);
    const conflict = $("infeasible");
    conflict.hidden = found.feasible;
    if (!found.feasible) {
      conflict.replaceChildren(...found.conflict.map((fault) => window.studio.element("p", fault.text)));
      ["figures", "limits", "gain", "curve", "rules"].forEach((name) => $(name).replaceChildren());
    } else {
      $("figures").innerHTML = found.figures;
      const idle = $("limits").querySelector("details");
      const open = idle !== null && idle.open;
      $("limits").innerHTML = found.limits;
      if (open && $("limits").querySelector("details")) $("limits").querySelector("details").open = true;
      deeper = setTimeout(() => askDeeper(mine), DEEPER);
      ["gain", "curve", "rules"].forEach((name) => $(name).classList.add("deeper-stale"));
    }
    page.dataset.took = Math.round(performance.now() - began);
    page.dataset.moves = Number(page.dataset.moves || 0) + 1;
    if (isCurrent) state.textContent = found.took;
    return true;
  };

  const askDeeper = async (mine) => {
    for (const part of ["gain", "curve", "rules"]) {
      if (mine !== seq) return;
      const answer = await send("/policy/deeper", content({ part, seq: mine, changes: [] }));
      if (mine !== seq) return;
      if (!answer.ok) { fail(answer.content.faults); return; }
      $(part).innerHTML = answer.content.html;
      $(part).classList.remove("deeper-stale");
    }
  };

  /* ---- sliders ---- */
  const onSlider = (event) => {
    const slider = event.target.closest("[data-slider]");
    if (!slider) return;
    const [number, range] = [slider.querySelector("[type=number]"), slider.querySelector("[type=range]")];
    if (event.target === range) number.value = range.value;
    else range.value = number.value;
    if (number.value === "" || !number.checkValidity()) return;
    slider.classList.add("moved");
    pending.set(slider.dataset.slider, [JSON.parse(slider.dataset.slider), number.value + slider.dataset.suffix]);
    stale();
    soon();
  };
  $("sliders").addEventListener("input", onSlider);

  /* ---- form and text ---- */
  const edit = (changes) => {
    supersede();
    editing = editing.then(() => edited(changes));
    return editing;
  };
  const edited = async (changes) => {
    const before = area.value;
    const answer = await send("/policy/edit", content({ changes }));
    if (!answer.ok) { fail(answer.content.faults); soon(true); return; }
    if (area.value !== before) {  // somebody types: what is typed is changed in its turn
      take(area.value, { quiet: true });
      await edited(changes);
      return;
    }
    fail([]);
    take(answer.content.text);
    showFaults(answer.content.faults);
    redraw(answer.content);
    soon();
  };

  /* Draw form and sliders anew without losing what is open, or where the keyboard is. */
  const redraw = (found) => {
    const form = $("form");
    drawn = text;
    const open = new Set([...form.querySelectorAll("details[open]")].map((part) => part.id));
    const closed = new Set([...form.querySelectorAll("details:not([open])")].map((part) => part.id));
    const at = document.activeElement && form.contains(document.activeElement) ? document.activeElement.id : "";
    form.innerHTML = found.form;
    form.querySelectorAll("details").forEach((part) => {
      if (open.has(part.id)) part.open = true;
      else if (closed.has(part.id) && !part.querySelector(".fault")) part.open = false;
    });
    if (at && document.getElementById(at)) document.getElementById(at).focus();
    $("sliders").innerHTML = found.sliders;
    page.querySelectorAll("[data-slider]").forEach((slider) => {
      const change = pending.get(slider.dataset.slider);
      if (!change) return;
      const value = change[1].slice(0, change[1].length - slider.dataset.suffix.length);
      slider.querySelectorAll("input").forEach((input) => { input.value = value; });
      slider.classList.add("moved");
    });
  };

  $("form").addEventListener("change", (event) => {
    const field = event.target.closest("[data-loc]");
    if (!field || field.value === field.dataset.value) return;
    edit([[JSON.parse(field.dataset.loc), field.value.trim() === "" ? null : field.value]]);
  });
  $("form").addEventListener("click", (event) => {
    const { add, new: item, remove } = event.target.dataset;
    if (add) edit([[JSON.parse(add), item]]);
    if (remove) edit([[JSON.parse(remove), null]]);
  });
  area.addEventListener("input", () => {
    supersede();
    clearTimeout(typing);
    typing = setTimeout(() => { take(area.value, { quiet: true }); edit([]); }, TYPED);
  });
  const put = (next) => { clearTimeout(typing); pending.clear(); take(next); edit([]); };
  $("undo").addEventListener("click", () => {
    const last = past.pop();
    if (last === undefined) return;
    pending.clear();
    text = last;
    area.value = last;
    showState();
    edit([]);
  });
  $("revert").addEventListener("click", () => put(saved));
  if ($("scores")) $("scores").addEventListener("change", () => soon());

  /* ---- saving ---- */
  /* Put every move into the text; return whether that went well: what failed is told. */
  const settled = async () => {
    clearTimeout(timer); clearTimeout(typing);
    if (area.value !== text) take(area.value, { quiet: true });
    await editing;
    while (pending.size) if (!await move()) return false;
    return true;
  };
  const save = async () => {
    if (!await settled()) return false;
    const mine = text;
    const answer = await send("/policy/save", { path, text: mine, digest });
    if (answer.ok) {
      saved = mine; digest = answer.content.digest; theirs = null;
      $("conflict").hidden = true;
      $("both").hidden = true;
      fail([]); showState();
      page.querySelectorAll(".slider.moved").forEach((slider) => slider.classList.remove("moved"));
      return true;
    }
    fail(answer.content.faults);
    if (answer.content.theirs) {
      theirs = answer.content.theirs;
      $("their-text").textContent = theirs.text;
      $("conflict").hidden = false;
      $("conflict").scrollIntoView({ block: "center" });
    }
    return false;
  };
  $("save").addEventListener("click", save);
  $("merge").addEventListener("click", async () => {
    const answer = await send("/policy/merge", { path, base: saved, mine: text, theirs: theirs.text });
    if (!answer.ok) { fail(answer.content.faults); return; }
    saved = theirs.text; digest = theirs.digest; theirs = null;
    $("conflict").hidden = true;
    put(answer.content.text);
    $("both").textContent = `${words.both} ${answer.content.both.join(", ")}`;
    $("both").hidden = answer.content.both.length === 0;  // stays until it is saved
  });
  $("theirs").addEventListener("click", () => {
    saved = theirs.text; digest = theirs.digest;
    $("conflict").hidden = true;
    put(theirs.text);
  });
  $("save-as").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!await settled()) return;
    const answer = await send("/policy/save-as", { path, text, name: event.target.elements.name.value });
    if (!answer.ok) { fail(answer.content.faults); return; }
    saved = text;
    location.href = `/policy?path=${encodeURIComponent(answer.content.path)}`;
  });
  $("plan").addEventListener("click", async () => {
    if (!await settled()) return;
    if (text !== saved && !(await save())) return;
    const answer = await send("/policy/plan", { path, digest, scores: scores() });
    if (!answer.ok) { fail(answer.content.faults); return; }
    fail([]);
    window.studio.expect(answer.content.task);
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); save(); }
  });

  /* ---- learning first ---- */
  $("start").addEventListener("click", async () => {
    const answer = await send("/policy/prepare", content({}));
    if (!answer.ok) { fail(answer.content.faults); return; }
    window.studio.expect(answer.content.task);
  });
  document.addEventListener("tasks-shown", (event) => {
    const busy = event.detail.some((task) => task.about === path && task.state === "running");
    $("start").hidden = busy;
    if (busy) $("plan").disabled = true;
    else if (area.getAttribute("aria-invalid") !== "true") $("plan").disabled = false;
  });
  document.addEventListener("task-ended", (event) => {
    const task = event.detail;
    if (task.about !== path || task.state !== "done") return;
    if (task.kind === "prepare") move();
    if (task.kind === "allocate" && task.made) location.href = `/run?path=${encodeURIComponent(task.made)}`;
  });

  /* ---- scenarios ---- */
  $("scenario").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!await settled()) return;
    const name = event.target.elements.name;
    const answer = await send("/policy/scenario", content({ name: name.value, changes: [] }));
    if (!answer.ok) { fail(answer.content.faults); return; }
    $("scenarios").innerHTML = answer.content.html;
    name.value = "";
  });
  $("scenarios").addEventListener("click", async (event) => {
    const { take: name, yaml: other, drop } = event.target.dataset;
    if (name) put(other);
    if (drop) {
      const answer = await send("/policy/drop", { path, name: drop });
      if (answer.ok) $("scenarios").innerHTML = answer.content.html;
    }
  });

  /* ---- tabs ---- */
  const tabs = [...page.querySelectorAll("[role=tab]")];
  const show = (tab) => tabs.forEach((each) => {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen && each.id === "tab-form" && (drawn !== text || pending.size)) settled().then(() => edit([]));
  });
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
      const next = tabs[(place + 1) % tabs.length];
      next.focus();
      show(next);
    });
  });

  showState();
  move();
})();
