// The services with what they depend on.

import { h } from "../dom.js";
import { words } from "../format.js";
import { status } from "../parts.js";

export function serviceList(health) {
  return h(
    "ul",
    { class: "services" },
    Object.values(health.services).map((service) =>
      h(
        "li",
        { "data-key": service.service },
        h("span", { class: "service-name" }, words(service.service)),
        status(service.status),
        h(
          "span",
          { class: "dependencies" },
          service.problem ? h("span", { class: "loss" }, service.problem) : dependencies(service.dependencies),
        ),
      ),
    ),
  );
}

function dependencies(of) {
  return Object.entries(of).map(([name, said]) => {
    const isWell = said === "ok";
    return h(
      "span",
      { class: isWell ? "quiet" : "loss" },
      isWell ? "✓ " : "✕ ",
      words(name),
      isWell ? h("span", { class: "unseen" }, " is well") : `: ${said}`,
    );
  });
}
