// What the theme leaves out for those who use a keyboard or a screen reader.
addEventListener("load", () => {
  for (const region of document.querySelectorAll("pre, .table-wrapper")) {
    if (region.scrollWidth > region.clientWidth) region.tabIndex = 0; // it scrolls sideways, so the keyboard must reach it
  }
  for (const caption of document.querySelectorAll("[role=heading]:not([aria-level])")) {
    caption.setAttribute("aria-level", "2");
  }
});
