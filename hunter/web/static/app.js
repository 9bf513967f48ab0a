// What htmx leaves to the page: the key that goes along, and trouble told in words.
"use strict";
const key = document.getElementById("key");
const trouble = document.getElementById("trouble");
const filters = document.getElementById("filters");

key.value = sessionStorage.getItem("hunter-key") || "";
function useKey(event) {
  event.preventDefault();
  sessionStorage.setItem("hunter-key", key.value);
  htmx.trigger(filters, "submit");
}
key.addEventListener("change", useKey);
document.getElementById("access").addEventListener("submit", useKey);

document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  if (key.value) request.headers["X-API-Key"] = key.value;
});

function tell(text) {
  trouble.textContent = text;
  trouble.hidden = !text;
}

// a problem document is told, never swapped in
document.addEventListener("htmx:before:response", (event) => {
  const response = event.detail.ctx.response.raw;
  if (response.ok) {
    tell("");
    return;
  }
  event.preventDefault();
  response
    .json()
    .then((problem) => tell([problem.title, problem.detail].filter(Boolean).join(": ")))
    .catch(() => tell(`HTTP ${response.status}`))
    .finally(() => {
      if (response.status === 401) key.focus();
    });
});
document.addEventListener("htmx:error", () => tell(navigator.onLine ? "?" : "offline"));

document.addEventListener("click", (event) => {
  const source = event.target.dataset.source;
  if (source === undefined) return;
  document.getElementById("source").value = source;
  htmx.trigger(filters, "submit");
});
