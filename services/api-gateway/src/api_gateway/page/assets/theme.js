// A classic script that runs before anything is painted: the wanted theme must not flash.
document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "system";
