// What a page must hold to for people who read it by ear, by keyboard, or in bad light. Answers what is wrong.
() => {
  const wrong = [];
  const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  for (const control of document.querySelectorAll("a, button, input, select, summary")) {
    if (!isShown(control)) continue;
    const label = control.getAttribute("aria-label") ?? control.labels?.[0]?.innerText ?? control.innerText;
    if (!label?.trim()) wrong.push(`nameless: ${control.outerHTML.slice(0, 120)}`);
    if (control.tabIndex < 0) wrong.push(`not reachable by keyboard: ${control.outerHTML.slice(0, 120)}`);
  }
  for (const chart of document.querySelectorAll("canvas")) {
    if (!chart.closest("[role=img][aria-label]")) wrong.push("a chart without words");
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`twice: #${id}`);
  for (const attribute of ["aria-labelledby", "aria-describedby"]) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      const id = element.getAttribute(attribute);
      if (!document.getElementById(id)) wrong.push(`${attribute} names nothing: ${id}`);
    }
  }
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");

  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const ground = channels(getComputedStyle(at).backgroundColor);
      if (ground.length === 3 || ground[3] === 1) return ground;
    }
    return [255, 255, 255];
  };
  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.nodeValue.trim() || !isShown(element) || element.closest(":disabled, .unseen, noscript"))
      continue;
    const text = channels(getComputedStyle(element).color);
    const ground = groundOf(element);
    const [light, dark] = [luminance(text), luminance(ground)].sort((one, other) => other - one);
    const contrast = (light + 0.05) / (dark + 0.05);
    const what = `contrast ${contrast.toFixed(2)} of ${text} on ${ground}`;
    if (contrast < 4.5 && !seen.has(what)) wrong.push(`${what}: ${walker.currentNode.nodeValue.trim().slice(0, 40)}`);
    seen.add(what);
  }
  return wrong;
};
