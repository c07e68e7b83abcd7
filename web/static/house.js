// Everything works without this file. It only saves typing: the place of the browser, a counter under a note, and what was
// typed into a long form, kept by this tab alone until it is published: for the way through signing in, or the back button.
"use strict";

function locate(button, digits, take) {
  const status = button.parentElement.querySelector("[data-located]");
  button.hidden = !("geolocation" in navigator) || !window.isSecureContext;
  button.addEventListener("click", () => {
    button.disabled = true;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        take(coords.latitude.toFixed(digits), coords.longitude.toFixed(digits));
        status.textContent = button.dataset.done;
        button.disabled = false;
      },
      () => {
        status.textContent = button.dataset.failed;
        button.disabled = false;
      },
      { enableHighAccuracy: true, timeout: 10000, maximumAge: 60000 },
    );
  });
}

for (const button of document.querySelectorAll("[data-locate]")) {
  locate(button, 6, (lat, lng) => {
    button.form.elements.lat.value = lat;
    button.form.elements.lng.value = lng;
    const address = document.querySelector("[data-address]");
    if (address) address.hidden = true;
  });
}

// Two decimals are about a kilometre: more would stand in the address bar and in logs, and change nothing.
for (const button of document.querySelectorAll("[data-near]")) {
  locate(button, 2, (lat, lng) => {
    button.form.elements.near.value = `${lat},${lng}`;
  });
}

for (const area of document.querySelectorAll("[data-counted]")) {
  const output = document.querySelector(`[data-count-of="${area.id}"]`);
  const count = () => { output.textContent = String([...area.value].length); };
  area.addEventListener("input", count);
  count();
}

const typed = (form) => [...form.elements].filter((field) => field.name && !["hidden", "submit"].includes(field.type));

for (const form of document.querySelectorAll("form[data-keep]")) {
  const place = `typed ${form.dataset.keep}`;
  const kept = JSON.parse(sessionStorage.getItem(place) ?? "null");
  if (kept && "fresh" in form.dataset) {
    for (const field of typed(form)) {
      const known = kept[field.name];
      if (!known) continue;
      if (["checkbox", "radio"].includes(field.type)) field.checked = known.includes(field.value);
      else field.value = known[0];
    }
    form.querySelector("[data-kept]").hidden = false;
  }
  form.addEventListener("input", () => {
    const values = {};
    for (const field of typed(form)) {
      const known = (values[field.name] ??= []);
      if (!["checkbox", "radio"].includes(field.type) || field.checked) known.push(field.value);
    }
    sessionStorage.setItem(place, JSON.stringify(values));
  });
}

// It is forgotten once it is published, and when its writer leaves: the next person may hold the same phone.
const forget = () => Object.keys(sessionStorage).filter((key) => key.startsWith("typed ")).forEach((key) => sessionStorage.removeItem(key));

for (const mark of document.querySelectorAll("[data-forget]")) {
  if (mark instanceof HTMLFormElement) mark.addEventListener("submit", forget);
  else forget();
}

// The plaza says when something has come; the list stays as it is until it is asked for, so that nothing jumps.
for (const line of document.querySelectorAll("[data-live]")) {
  const stream = new EventSource(line.dataset.live);
  for (const name of ["post.opened", "plaza.reload"]) {
    stream.addEventListener(name, () => {
      line.hidden = false;
      stream.close();
    });
  }
  addEventListener("pagehide", () => stream.close());
}
