// Passkeys: registration and sign-in. Without script or support the page stays as it is.
// Options come as {publicKey, state?}; `state` is echoed. Answers are {next}: one of our own paths.
"use strict";
(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const toBytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const post = async (form, path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      redirect: "error",
      headers: { "Content-Type": "application/json", "Accept": "application/json", "X-CSRF": form.elements.csrf.value },
      body: JSON.stringify(body),
    });
    const said = await answer.json().catch(() => ({}));
    // A refusal may send the person to a fresh sign-in first.
    if (typeof said.next === "string" && /^\/(?![/\\])/.test(said.next)) {
      location.assign(said.next);
      return null;
    }
    if (!answer.ok) throw new Error("refused");
    return said;
  };

  const withIds = (list) => (list || []).map((one) => ({ ...one, id: toBytes(one.id) }));

  const signIn = async (form) => {
    const asked = await post(form, "/signin/passkey/options", {});
    if (!asked) return;
    const key = asked.publicKey;
    const got = await navigator.credentials.get({
      publicKey: { ...key, challenge: toBytes(key.challenge), allowCredentials: withIds(key.allowCredentials) },
    });
    await post(form, "/signin/passkey", {
      state: asked.state,
      return_to: form.elements.return_to.value,
      credential: {
        id: got.id,
        rawId: toText(got.rawId),
        type: got.type,
        extensions: got.getClientExtensionResults(),
        response: {
          authenticatorData: toText(got.response.authenticatorData),
          clientDataJSON: toText(got.response.clientDataJSON),
          signature: toText(got.response.signature),
          userHandle: got.response.userHandle ? toText(got.response.userHandle) : null,
        },
      },
    });
  };

  const add = async (form) => {
    const name = form.elements.name;
    if (!name.reportValidity()) return;
    const asked = await post(form, "/my/passkeys/options", {});
    if (!asked) return;
    const key = asked.publicKey;
    const made = await navigator.credentials.create({
      publicKey: {
        ...key,
        challenge: toBytes(key.challenge),
        user: { ...key.user, id: toBytes(key.user.id) },
        excludeCredentials: withIds(key.excludeCredentials),
      },
    });
    await post(form, "/my/passkeys", {
      state: asked.state,
      name: name.value,
      credential: {
        id: made.id,
        rawId: toText(made.rawId),
        type: made.type,
        extensions: made.getClientExtensionResults(),
        response: {
          attestationObject: toText(made.response.attestationObject),
          clientDataJSON: toText(made.response.clientDataJSON),
          transports: made.response.getTransports ? made.response.getTransports() : [],
        },
      },
    });
  };

  const offer = (selector, act) => {
    const button = document.querySelector(selector);
    if (!button) return;
    const form = button.closest("form");
    const failed = form.querySelector("[data-passkey-failed]");
    const run = async () => {
      failed.hidden = true;
      button.disabled = true;
      try {
        await act(form);
      } catch {
        failed.hidden = false;
      } finally {
        button.disabled = false;
      }
    };
    button.addEventListener("click", run);
    if (form.hasAttribute("data-passkey")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        run();
      });
    }
    button.closest("[data-passkey]").hidden = false;
  };

  offer("[data-passkey-sign-in]", signIn);
  offer("[data-passkey-add]", add);
})();
