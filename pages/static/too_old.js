// Says so where the browser is too old for this page, in a language that it reads: no syntax after 2015.
(function () {
  var script = document.currentScript;
  if (script.getAttribute("data-needs") in HTMLElement.prototype) return;
  document.addEventListener("DOMContentLoaded", function () {
    var line = document.createElement("p");
    line.className = "says";
    line.setAttribute("role", "alert");
    line.textContent = script.getAttribute("data-said");
    document.body.insertBefore(line, document.body.firstChild);
  });
})();
