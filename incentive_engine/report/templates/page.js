/* Copies the public rules, and opens what is folded before the page is printed. */
"use strict";
(() => {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      const range = document.createRange();
      range.selectNodeContents(text);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = button.dataset.done;
      } catch {
        /* A browser that forbids it leaves the text selected, ready for Ctrl-C. */
      }
    });
  }
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((part) => { part.open = true; });
  });
})();
