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

// The picture by keyboard: arrow keys move a cross over it, Enter clicks where the cross is.
(() => {
  const SIDES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const HINT = "Arrow keys move the cross, with Shift by single pixels; Enter clicks there.";
  const STEP = 8;
  let at = [0.5, 0.5];  // in shares of the picture's width and height
  const held = (event) => event.target.closest?.("#picture button:has(img)");
  function show(button) {
    const frame = button.querySelector("img").parentElement;
    const cross = frame.querySelector(".cross") ?? frame.appendChild(document.createElement("span"));
    cross.className = "cross";
    [cross.style.left, cross.style.top] = at.map((share) => `${100 * share}%`);
    button.ariaLabel = button.dataset.hint = HINT;
  }
  function click(image) {
    const box = image.getBoundingClientRect();
    const [clientX, clientY] = [box.x + at[0] * box.width, box.y + at[1] * box.height];
    image.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, view: window, clientX, clientY }));
  }
  document.addEventListener("focusin", (event) => held(event) && show(held(event)));
  document.addEventListener("keydown", (event) => {
    const image = held(event)?.querySelector("img"), side = SIDES[event.key];
    if (!image?.naturalWidth || !(side || event.key === "Enter" || event.key === " ")) return;
    event.preventDefault();
    if (side) {
      const step = event.shiftKey ? 1 : STEP;
      const moved = [at[0] + (side[0] * step) / image.width, at[1] + (side[1] * step) / image.height];
      at = moved.map((share) => Math.min(Math.max(share, 0), 1));
      show(held(event));
    } else if (!event.repeat) click(image);
  });
})();
