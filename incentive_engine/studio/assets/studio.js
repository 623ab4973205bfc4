/* Follows tasks, and fills in what takes a moment. No library, no request to elsewhere. */
"use strict";
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  let token = document.querySelector("meta[name=token]").content;

  /* Return an element with a class and text, `so` as code; text is never read as HTML. */
  const element = (name, text = "", kind = "") => {
    const made = document.createElement(name);
    text.split(/`([^`]+)`/).forEach((piece, place) => {
      if (place % 2) made.append(element("code", piece));
      else if (piece) made.append(piece);
    });
    if (kind) made.className = kind;
    return made;
  };

  const notice = (text, href) => {
    const line = element("p", text);
    if (href) {
      const link = element("a", ` ${words.look}`);
      link.href = href;
      line.append(link);
    }
    document.getElementById("notices").append(line);
    setTimeout(() => line.remove(), 12000);
  };

  /* A studio that was opened again has another token: take it, so that nothing typed is lost. */
  const renewed = async () => {
    const answer = await fetch("/", { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("meta[name=token]");
    if (!fresh || fresh.content === token) return false;
    token = fresh.content;
    document.querySelectorAll("input[name=token]").forEach((field) => { field.value = token; });
    return true;
  };

  /* Send a change; return whether it was taken, and what was answered: where nothing was, that. */
  const send = async (address, content, signal) => {
    const post = () => fetch(address, {
      method: "POST", signal, body: JSON.stringify(content),
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-Token": token },
    });
    try {
      let answer = await post();
      if (answer.status === 403 && await renewed()) answer = await post();
      return { ok: answer.ok, status: answer.status, content: await contentOf(answer) };
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return { ok: false, status: 0, content: { faults: [{ text: words.offline }] } };
    }
  };

  /* What an answer says: an error that no page has seen is a line of text. */
  const contentOf = async (answer) => {
    const text = await answer.text();
    const isJson = (answer.headers.get("content-type") || "").includes("json");
    return isJson ? JSON.parse(text) : { faults: [{ text: text.trim() }] };
  };

  const drawTask = (task) => {
    const card = element("article", "", `task ${task.state}`);
    const title = element("h3", `${task.title} `);
    title.append(element("span", task.state_words, "tag"));
    card.append(title);
    if (task.state === "running") {
      if (task.step) card.append(element("p", task.step, "small muted"));
      const bar = element("progress");
      bar.setAttribute("aria-label", task.title);
      if (task.share !== null) bar.value = task.share;
      const stop = element("button", words.stop);
      stop.type = "button";
      stop.addEventListener("click", async () => {
        const answer = await send("/tasks/stop", { task: task.id, back: "/tasks/state" });
        if (!answer.ok) notice(answer.content.faults[0].text);
      });
      card.append(bar, " ", stop);
    }
    task.lines.forEach((line) => card.append(element("p", line, "small")));
    task.faults.forEach((fault) => card.append(element("p", fault.text, "fault")));
    if (task.answerable.length) {
      const go = element("button", task.answer_for);
      go.type = "button";
      go.addEventListener("click", async () => {
        go.disabled = true;
        const answer = await send("/tasks/again", { task: task.id });
        if (answer.ok) expect(answer.content.task);
        else { go.disabled = false; notice(answer.content.faults[0].text); }
      });
      card.append(go);
    }
    if (task.made) {
      const link = element("a", words.look);
      link.href = `/run?path=${encodeURIComponent(task.made)}`;
      card.append(link);
    }
    return card;
  };

  const before = new Map(), told = new Set();
  const tell = (task) => {
    told.add(task.id);
    notice(`${task.title}: ${task.faults.length ? task.faults[0].text : words[task.state]}`,
      task.made ? `/run?path=${encodeURIComponent(task.made)}` : "/tasks");
    document.dispatchEvent(new CustomEvent("task-ended", { detail: task }));
  };
  let latest = [];
  const showTasks = (tasks) => {
    latest = tasks;
    const running = tasks.filter((task) => task.state === "running").length;
    const badge = document.querySelector("[data-running]");
    badge.hidden = running === 0;
    badge.textContent = running;
    document.querySelectorAll("[data-tasks-about]").forEach((place) => {
      const about = place.dataset.tasksAbout;
      let mine = tasks.filter((task) => about === "" || task.about === about);
      if ("unfinished" in place.dataset) mine = mine.slice(0, 1).filter((task) => task.state === "running" || task.state === "failed");
      if (mine.length || "unfinished" in place.dataset) place.replaceChildren(...mine.map(drawTask));
    });
    tasks.forEach((task) => {
      if (before.get(task.id) === "running" && task.state !== "running") tell(task);
      before.set(task.id, task.state);
    });
    document.dispatchEvent(new CustomEvent("tasks-shown", { detail: tasks }));
  };
  /* A task that was just begun here: its end is told even if it came before we saw it run. */
  const expect = (id) => {
    const task = latest.find((each) => each.id === id);
    if (!task) before.set(id, "running");
    else if (task.state !== "running" && !told.has(id)) tell(task);
  };

  /* Browsers open six connections to one place at most: a page that nobody looks at gives its back. */
  let events = null;
  const follow = (looking) => {
    if (events) events.close();
    events = looking ? new EventSource("/tasks/events") : null;
    if (events) events.onmessage = (message) => showTasks(JSON.parse(message.data));
  };
  follow(true);
  document.addEventListener("visibilitychange", () => follow(!document.hidden));
  window.addEventListener("pagehide", () => follow(false));

  /* What a task has changed of a page is drawn anew: who approved, and where it went. */
  document.addEventListener("task-ended", async (event) => {
    const { kind, state } = event.detail;
    const places = [...document.querySelectorAll(`[data-after="${kind}"]`)];
    if (state !== "done" || !places.length) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      places.forEach((place) => {
        const fresh = page.getElementById(place.id);
        if (fresh) place.replaceWith(fresh);
      });
    } catch { notice(words.offline); }
  });

  document.querySelectorAll("[data-checks]").forEach(async (place) => {
    try {
      const answer = await fetch(place.dataset.checks, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.querySelector(".verdict, .faults");
      if (found) place.replaceWith(found);
    } catch {
      place.textContent = words.offline;
    }
  });

  /* A running campaign is looked at again every few seconds, unless somebody is typing in it. */
  document.querySelectorAll("[data-follow]").forEach((place) => {
    const look = async () => {
      const busy = place.contains(document.activeElement) && document.activeElement.matches("input, button, summary");
      if (!document.hidden && !busy) {
        try {
          const answer = await fetch(place.dataset.follow, { headers: { Accept: "text/html" } });
          if (answer.ok) {
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            const open = place.querySelector("details[open]") !== null;
            const typed = [...place.querySelectorAll("input[name=by]")].some((input) => input.value);
            if (!typed) place.replaceChildren(page.querySelector(".standing"));
            if (open && place.querySelector("details")) place.querySelector("details").open = true;
          }
        } catch { /* it is asked again; the notice of the tasks says when nothing answers */ }
      }
      setTimeout(look, 3000);
    };
    setTimeout(look, 3000);
  });

  document.querySelectorAll("[data-preset]").forEach((choice) => {
    const to = choice.form.elements.to;
    choice.addEventListener("change", () => {
      to.value = to.dataset.name + (choice.value ? `-${choice.value}` : ".csv");
    });
  });

  const two = document.querySelector("[data-two]");
  if (two) {
    const boxes = [...two.form.querySelectorAll("input[name=run]")];
    const look = () => { two.disabled = boxes.filter((box) => box.checked).length !== 2; };
    boxes.forEach((box) => box.addEventListener("change", look));
    look();
  }

  window.studio = { words, element, notice, send, expect };
})();
