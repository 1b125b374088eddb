// All that is tested in Chromium, in one.

import "./pages.mjs";
import "./states.mjs";
import "./served.mjs";
