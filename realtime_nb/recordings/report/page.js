// @ts-check
// Buttons that play from a moment. The page works without this; only they don't.
const audio = document.querySelector("audio");
for (const button of document.querySelectorAll("button.when")) {
  if (!(button instanceof HTMLButtonElement)) continue;
  if (!audio) {
    button.disabled = true;
    continue;
  }
  button.addEventListener("click", () => {
    audio.currentTime = Math.max(0, Number(button.dataset.at) - Number(audio.dataset.begins ?? 0) - 0.2);
    void audio.play();
  });
}
