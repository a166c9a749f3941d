// The script of pages for people who are not signed in.

import { offerZone } from "chatty/views/zone.js";

offerZone();
