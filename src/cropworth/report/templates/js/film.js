// Crops over training: a larger picture of each test item that steps through the epochs.
{
  const PAUSE_MS = 4000; // of a whole film, within bounds for each epoch
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const setUp = (player) => {
    const [button, slider, told] = ["button", "input", "output"].map((tag) => player.querySelector(tag));
    const epochs = player.dataset.epochs.split(" ");
    const films = [...player.querySelectorAll("svg")].map((svg) => ({
      polygons: svg.querySelectorAll("polygon"),
      outlines: svg.dataset.outlines.split("|"),
    }));
    const last = epochs.length - 1;
    let timer = 0;

    const show = (frame) => {
      slider.value = frame;
      for (const { polygons, outlines } of films) {
        polygons.forEach((polygon) => polygon.setAttribute("points", outlines[frame]));
      }
      const kept = epochs[frame] === player.dataset.kept ? ", whose weights were kept" : "";
      told.value = `epoch ${epochs[frame]} of ${player.dataset.of}${kept}`;
      slider.setAttribute("aria-valuetext", told.value);
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      button.textContent = "Play";
    };
    const step = () => {
      const frame = Number(slider.value) + 1;
      show(Math.min(frame, last));
      if (frame >= last) stop();
    };
    const play = () => {
      if (Number(slider.value) === last) show(0);
      button.textContent = "Pause";
      timer = setInterval(step, Math.min(600, Math.max(80, PAUSE_MS / last)));
    };

    button.addEventListener("click", () => (timer ? stop() : play()));
    slider.addEventListener("input", () => {
      stop();
      show(Number(slider.value));
    });
    // Who asks for less motion steps by the slider alone.
    const asked = () => {
      stop();
      button.hidden = still.matches;
    };
    still.addEventListener("change", asked);
    asked();
    show(last);
    player.hidden = false;
  };

  document.querySelectorAll(".player").forEach(setUp);
}
