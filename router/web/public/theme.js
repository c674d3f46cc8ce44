// Before anything is drawn: the chosen theme, so that the page does not flash.
try {
  var theme = localStorage.getItem("skep.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch (refused) {
  // Then it is as the system has it.
}
