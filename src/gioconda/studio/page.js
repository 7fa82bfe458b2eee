// The still editor: while somebody drags, ask for the picture without waiting for the rest of the page.
// One request at a time; when it is answered, the newest setting is asked for next.
(() => {
  let asking = false, again = false, drawn = "";
  function setting() {
    const dials = [...document.querySelectorAll("#dials [id^=dial-]")];
    return dials.map((dial) => `${dial.id.slice(5)}=${dial.querySelector("input[type=range]").value}`).join("&");
  }
  async function draw() {
    const picture = document.querySelector("#still img.still");
    if (!picture) return;
    if (asking) { again = true; return; }
    asking = true;
    again = false;
    drawn = setting();
    try {
      const answer = await fetch(`still/${picture.dataset.key}?${drawn}`);
      if (answer.ok) {
        const before = picture.src;
        picture.src = URL.createObjectURL(await answer.blob());
        await picture.decode();
        if (before.startsWith("blob:")) URL.revokeObjectURL(before);
      }
    } finally {
      asking = false;
      if (again) draw();
    }
  }
  // After the page itself has taken in the change.
  const soon = (event) => event.target.closest?.("#dials") && setTimeout(draw);
  document.addEventListener("input", soon);
  document.addEventListener("click", soon);
  // The button that sets all dials back does so when the server has answered.
  const later = (times) => setTimeout(() => setting() !== drawn ? draw() : times && later(times - 1), 100);
  document.addEventListener("click", (event) => event.target.closest?.("#still-reset") && later(50));
})();
