// Elements from data, and the live page brought to what is wanted without losing focus, selection or charts.
// Text from the API only ever becomes text nodes and attribute values.

/** An element. `style` is an object of CSS properties; null and false children are left out. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") setStyle(element, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

/** Makes the children of `live` what is wanted; alike elements stay the same objects. */
export function fill(live, ...children) {
  const wanted = document.createDocumentFragment();
  append(wanted, children);
  reconcile(live, wanted);
}

function setStyle(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
}

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child);
  }
}

function reconcile(live, wanted) {
  const keyed = new Map();
  for (const child of live.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  let place = live.firstChild;
  for (const next of [...wanted.childNodes]) {
    const match = next.dataset?.key ? keyed.get(next.dataset.key) : place;
    if (!match || !alike(match, next)) {
      live.insertBefore(next, place);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else live.insertBefore(match, place);
    update(match, next);
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

function alike(one, other) {
  return one.nodeName === other.nodeName && one.dataset?.key === other.dataset?.key;
}

function update(live, wanted) {
  if (live.nodeType === Node.TEXT_NODE) {
    if (live.nodeValue !== wanted.nodeValue) live.nodeValue = wanted.nodeValue;
    return;
  }
  updateAttributes(live, wanted);
  // What is inside of these belongs to a chart, or to whoever is typing.
  if (!("keep" in live.dataset)) reconcile(live, wanted);
}

const USERS_OWN = new Set(["open", "value", "style"]);

function updateAttributes(live, wanted) {
  for (const { name } of [...live.attributes]) {
    if (!USERS_OWN.has(name) && !wanted.hasAttribute(name)) live.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (!USERS_OWN.has(name) && live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
  // Through the object model: the policy of the page forbids style attributes.
  if (live.style.cssText !== wanted.style.cssText) live.style.cssText = wanted.style.cssText;
}
