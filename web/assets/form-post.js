// Sends an authorization response on to the app; without script the button does the same.
"use strict";
document.querySelector("form[data-form-post]").submit();
