// Everything works without this file. It only saves typing: the place of the browser, and a counter under a note.
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
