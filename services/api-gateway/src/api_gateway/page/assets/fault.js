// A classic script, so that it is there even where no module is: says that the page is broken, for what a broken page
// shows must not be taken for what is. What the gateway refuses has a status, is no fault, and is said in its place.
{
  const say = () => document.documentElement.classList.add("is-broken");
  const isOurs = ({ target, filename }) => target !== window || filename.startsWith(location.origin);
  addEventListener("error", (event) => isOurs(event) && say(), true);
  addEventListener("unhandledrejection", ({ reason }) => reason?.status === undefined && say());
}
