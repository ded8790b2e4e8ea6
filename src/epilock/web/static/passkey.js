// Passkeys (WebAuthn). A form with data-passkey="get" or "create" is sent once a device has answered what stands in its
// data-options: JSON of WebAuthn level 3, as the server wrote it. The answer, JSON too, goes into the form's field that
// data-into names; which button was pressed is kept. What has data-needs="passkey" is shown where a browser can do
// this, and what has data-failed inside the form when nothing came of it.
"use strict";

(function () {
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const octets = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list ?? []).map((one) => ({ ...one, id: octets(one.id) }));

  async function ask(options) {
    const asked = { ...options, challenge: octets(options.challenge), allowCredentials: known(options.allowCredentials) };
    const { id, rawId, type, response } = await navigator.credentials.get({ publicKey: asked });
    return { id, rawId: text(rawId), type, response: {
      clientDataJSON: text(response.clientDataJSON),
      authenticatorData: text(response.authenticatorData),
      signature: text(response.signature),
      userHandle: response.userHandle && text(response.userHandle),
    } };
  }

  async function create(options) {
    const asked = {
      ...options, challenge: octets(options.challenge), user: { ...options.user, id: octets(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
    };
    const { id, rawId, type, response } = await navigator.credentials.create({ publicKey: asked });
    return { id, rawId: text(rawId), type, response: {
      clientDataJSON: text(response.clientDataJSON), attestationObject: text(response.attestationObject),
    } };
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target, into = form.dataset.into && form.elements[form.dataset.into];
    if (!into || into.value) return; // another form, or one that has its answer
    event.preventDefault();
    const failed = form.querySelector("[data-failed]");
    failed.hidden = true;
    try {
      const does = form.dataset.passkey === "create" ? create : ask;
      into.value = JSON.stringify(await does(JSON.parse(form.dataset.options)));
      form.requestSubmit(event.submitter);
    } catch {
      failed.hidden = false;
    }
  });

  for (const part of document.querySelectorAll("[data-needs=passkey]")) part.hidden = false;
})();
